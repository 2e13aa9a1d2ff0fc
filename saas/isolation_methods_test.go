package saas

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"assimilation/discovery/kinds"
	"assimilation/saas/internal/audit"
	"assimilation/saas/internal/changes"
	"assimilation/saas/internal/cypher"
	"assimilation/saas/internal/depmap"
	"assimilation/saas/internal/events"
	"assimilation/saas/internal/findings"
	"assimilation/saas/internal/history"
	"assimilation/saas/internal/hosts"
	"assimilation/saas/internal/query"
	"assimilation/saas/internal/search"
	"assimilation/saas/internal/sites"
	"assimilation/saas/internal/topology"
	"assimilation/saas/internal/web"
	"assimilation/tenancy"
	"assimilation/tenancy/keys"
	"assimilation/tenancy/tenancytest"
)

// notCalled are exported methods that name a tenant and are not called here, and why.
var notCalled = map[string]string{
	"asked.Service.Remember": "writes for a person only", "asked.Service.Recent": "pages call it", "views.Service.Bar": "within a transaction",
	"graph.Writer.Apply": "within a transaction", "graph.Writer.Repair": "within a transaction", "ingest.Service.Forget": "within a transaction", "ingest.Service.ForgetTopology": "within a transaction",
	"ingest.Service.Rebuild": "names nothing but the tenant", "web.Hub.Subscribe": "TestStreamIsOfTheTenant", "accounts.Service.BySession": "bad credentials are cases of every route",
	"accounts.Service.ByToken": "bad credentials are cases of every route", "accounts.Service.Enter": "after a log-in that was proved", "members.Service.SiteOf": "roles at sites are cases of every route",
	"ingest.Service.Rename": "within a transaction", "quota.Service.AtOnce": "a number of the tenant's own", "web.Web.AtOnce": "a number of the tenant's own",
	"idempotency.Store.Begin": "by a hash of tenant and key", "idempotency.Store.End": "by a hash of tenant and key",
}

// TestMethodsOfFeatures calls, as the attacker, every exported method of a feature
// that takes a tenant or an actor, with the victim's names and identifiers.
func TestMethodsOfFeatures(t *testing.T) {
	w := newIsolationWorld(t)
	questions, err := query.New(w.db)
	if err != nil {
		t.Fatal(err)
	}
	master, err := keys.Load(w.config.MasterKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	wiring, happened := &topology.Service{DB: w.db, Log: w.log}, &events.Service{DB: w.db}
	changed := &changes.Service{DB: w.db, Kinds: kinds.Worded()}
	questions.Live, questions.Topology, questions.Say = wiring.Ports, wiring.Ask, changed.Say
	machines := &hosts.Service{DB: w.db, Log: w.log, Forget: w.core.Forget, Changes: changed, Happened: happened.OfHost}
	called := map[string]bool{}
	before, report := w.digest(), &tenancytest.Report{}
	for _, service := range []any{questions, wiring, happened, changed, machines, &history.Service{DB: w.db, FindHost: machines.FindID}, &findings.Service{DB: w.db}, cypher.New(w.db),
		&depmap.Service{DB: w.db, Topology: wiring.Ask, Vendor: query.VendorOf}, &search.Service{DB: w.db}, &audit.Service{DB: w.db}, w.verdicts,
		&sites.Service{DB: w.db, Keys: master, Hub: w.hub, Log: w.log, Happened: happened.OfSite, ForgetTopology: w.core.ForgetTopology, Questions: wiring.Questions}} {
		v := reflect.ValueOf(service)
		for i := range v.NumMethod() {
			method := v.Type().Method(i)
			name := strings.TrimPrefix(v.Type().String(), "*") + "." + method.Name
			if !takesTenant(method.Type) || notCalled[name] != "" {
				continue
			}
			called[name] = true
			for _, key := range []string{"{host}", "{site}", "{relay}", "{token}", "{verdict}", "?entity"} {
				for _, value := range w.suite.Victim.Values[key] {
					report.Try("methods of features", name+" "+value, func() string { return w.call(v.Method(i), value) })
				}
			}
		}
	}
	report.Try("methods of features", "rows of the victim", func() string { return before.Differs(w.digest()) })
	var printed strings.Builder
	report.Print(&printed)
	t.Log("\n" + printed.String())
	for _, leak := range report.Leaks() {
		t.Error(leak)
	}
	for _, name := range methodsWithTenant(t) {
		if !called[name] && notCalled[name] == "" {
			t.Errorf("%s takes a tenant: call it in TestMethodsOfFeatures, or say in notCalled why not", name)
		}
	}
}

var (
	tenantType, actorType = reflect.TypeFor[tenancy.TenantID](), reflect.TypeFor[web.Actor]()
	contextType           = reflect.TypeFor[context.Context]()
)

// takesTenant reports whether a method can be called for a tenant, by itself.
func takesTenant(m reflect.Type) (takes bool) {
	for i := range m.NumIn() {
		in := m.In(i)
		if in.String() == "pgx.Tx" || in.Kind() == reflect.Func {
			return false
		}
		takes = takes || in == tenantType || in == actorType
	}
	return takes
}

// call fills all that a method takes with one value, as the attacker.
func (w *isolationWorld) call(method reflect.Value, value string) (leak string) {
	defer func() {
		if panicked := recover(); panicked != nil {
			leak = fmt.Sprint("panics: ", panicked)
		}
	}()
	ctx, stop := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer stop()
	var in []reflect.Value
	for i := range method.Type().NumIn() {
		t := method.Type().In(i)
		switch t {
		case contextType:
			in = append(in, reflect.ValueOf(ctx))
		case tenantType:
			in = append(in, reflect.ValueOf(w.suite.Attacker.ID))
		case actorType:
			in = append(in, reflect.ValueOf(web.Actor{Tenant: w.suite.Attacker.ID, Role: tenancy.Owner, Email: "eve@evil.example"}))
		default:
			v := reflect.New(t).Elem()
			w.fill(v, value)
			in = append(in, v)
		}
	}
	for _, out := range method.Call(in) {
		text, err := json.Marshal(out.Interface())
		if failure, ok := out.Interface().(error); ok {
			text = []byte(failure.Error())
		} else if err != nil {
			text = fmt.Appendf(nil, "%+v", out.Interface())
		}
		if secret := w.suite.Secrets.In(string(text), value, "zvictim"); secret != "" {
			return "hands out " + secret
		}
	}
	return ""
}

func (w *isolationWorld) fill(v reflect.Value, value string) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time](), !v.CanSet():
	case v.Kind() == reflect.String:
		v.SetString(value)
	case v.CanInt() && v.Type() != reflect.TypeFor[time.Duration]():
		v.SetInt(100)
	case v.Type() == reflect.TypeFor[uuid.UUID]():
		id, err := uuid.Parse(value)
		if err != nil {
			id = w.suite.Victim.ID.UUID
		}
		v.Set(reflect.ValueOf(id))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			w.fill(v.Field(i), value)
		}
	}
}

// methodsWithTenant finds them in the source, as package.Type.Method.
func methodsWithTenant(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir("internal", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
		if err != nil {
			return err
		}
		for _, decl := range tree.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() {
				continue
			}
			parameters := string(source[f.Type.Params.Pos()-1 : f.Type.Params.End()-1])
			receiver := strings.TrimPrefix(string(source[f.Recv.List[0].Type.Pos()-1:f.Recv.List[0].Type.End()-1]), "*")
			if strings.Contains(parameters, "tenancy.TenantID") || strings.Contains(parameters, "web.Actor") {
				all = append(all, tree.Name.Name+"."+receiver+"."+f.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
