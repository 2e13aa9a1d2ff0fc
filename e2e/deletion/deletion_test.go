package deletion

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"assimilation/e2e/world"
	"assimilation/internal/exportfile"
)

var all = flag.Bool("whole", false, "run it: it takes a minute or two")

// Of Ada's host, in a network of its own. Bob's host is the machine around it, and
// truly knows what of it can be seen from there: but not its name, nor the address
// that nobody outside has.
const (
	netns     = "assim-deletion"
	ours      = "10.203.77.1"
	theirs    = "10.203.77.2"
	lonely    = "198.51.100.77" // an address of documentation (RFC 5737)
	hostName  = "ada-kept-nothing"
	otherHost = "bob-keeps-all"
)

func ip(t *testing.T, args ...string) {
	t.Helper()
	world.Run(t, nil, "ip", args...)
}

// network makes a namespace with an address that only it has.
func network(t *testing.T) {
	t.Helper()
	ip(t, "netns", "add", netns)
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", netns).CombinedOutput(); err != nil {
			t.Errorf("removing the namespace: %v %s", err, out)
		}
	})
	ip(t, "link", "add", "assimdel0", "type", "veth", "peer", "name", "eth0", "netns", netns)
	ip(t, "addr", "add", ours+"/24", "dev", "assimdel0")
	ip(t, "link", "set", "assimdel0", "up")
	for _, args := range [][]string{{"addr", "add", theirs + "/24", "dev", "eth0"}, {"link", "set", "eth0", "up"}, {"link", "set", "lo", "up"}, {"addr", "add", lonely + "/32", "dev", "lo"}} {
		ip(t, append([]string{"-n", netns}, args...)...)
	}
}

// person is the command line of somebody at a tenant of their own.
type person struct {
	t   *testing.T
	bin string
	env []string
}

func (p person) run(args ...string) string {
	p.t.Helper()
	return world.Run(p.t, p.env, filepath.Join(p.bin, "assim"), args...)
}

func (p person) json(into any, args ...string) {
	p.t.Helper()
	out := p.run(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		p.t.Fatalf("assim %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// settled signs a person up with a site that has a relay and a probe on a host.
func settled(t *testing.T, w *world.World, name, host string, relay, probe world.Node) (p person, running []*world.Process) {
	t.Helper()
	p = person{t, w.Bin, []string{"ASSIM_CONFIG=" + filepath.Join(w.Dir, name+".yaml")}}
	password := filepath.Join(w.Dir, name+".password")
	if err := os.WriteFile(password, []byte("a password of "+name+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run("signup", "--url", w.URL, "--email", name+"@"+name+".example", "--tenant", "The tenant of "+name, "--password-file", password)
	p.run("site", "create", name+"-site")
	token := func(kind string) string {
		var made struct{ Token string }
		p.json(&made, "token", "create", "--site", name+"-site", "--kind", kind, "--name", "token-of-"+name+"-"+kind)
		return made.Token
	}
	relay.Name, relay.Token = name+"-relay", token("relay")
	first, address := w.Relay(relay)
	probe.Name, probe.Relay, probe.Host, probe.Token = name+"-probe", address, host, token("probe")
	second := w.Probe(probe)
	world.Eventually(t, 2*time.Minute, host+" up with its facts", func() (bool, string) {
		var facts []struct{ Kind string }
		out, err := exec.Command("env", append(p.env, filepath.Join(w.Bin, "assim"), "host", "facts", host, "-o", "json")...).Output()
		if err == nil {
			err = json.Unmarshal(out, &facts)
		}
		return err == nil && len(facts) >= 10, fmt.Sprint(len(facts), " facts, ", err)
	})
	return p, []*world.Process{first, second}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// texts runs a query for a list of texts.
func texts(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestADeletedTenantLeavesNothing is must-show: export, deletion with the service
// killed in the middle, a search of the whole database.
func TestADeletedTenantLeavesNothing(t *testing.T) {
	if !*all {
		t.Skip("make e2e-deletion runs it")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes a network namespace")
	}
	network(t)
	w := world.New(t, world.Options{})
	ada, hers := settled(t, w, "ada", hostName, world.Node{Listen: strings.Replace(world.FreeUDP(t), "127.0.0.1", ours, 1)}, world.Node{Netns: netns})
	bob, his := settled(t, w, "bob", otherHost, world.Node{}, world.Node{})
	for _, p := range []person{ada, bob} {
		p.run("member", "invite", "guest-of-"+map[bool]string{true: "ada", false: "bob"}[p.env[0] == ada.env[0]]+"@example.org")
	}
	conn := connect(t, w.Database)
	var tenant, other string
	for name, id := range map[string]*string{"ada": &tenant, "bob": &other} {
		*id = texts(t, conn, `SELECT id::text FROM assim.tenants WHERE name = $1`, "The tenant of "+name)[0]
	}
	for _, p := range append(his, hers...) { // so that nothing changes by itself
		p.Stop()
	}

	file := filepath.Join(w.Dir, "ada.tar.zst")
	t.Log(strings.TrimSpace(ada.run("tenant", "export", "-o", file)))
	t.Log(strings.TrimSpace(ada.run("tenant", "export", "--verify", file)))
	holdExport(t, conn, file, tenant)
	hers[0].Start()

	needles := []string{tenant, strings.ReplaceAll(tenant, "-", ""), "The tenant of ada", "ada@ada.example", "guest-of-ada", hostName, "ada-site", "token-of-ada", lonely}
	for _, table := range []string{"sites", "relays", "hosts", "tokens", "invitations", "api_tokens"} {
		needles = append(needles, texts(t, conn, `SELECT id::text FROM assim.`+table+` WHERE tenant = $1`, tenant)...)
	}
	needles = append(needles, texts(t, conn, `SELECT user_id::text FROM assim.members WHERE tenant = $1`, tenant)...)
	if _, err := conn.Exec(t.Context(), `ANALYZE`); err != nil { // statistics quote values
		t.Fatal(err)
	}
	before := search(t, conn, needles)
	for _, n := range needles {
		if before.hits[n] == 0 {
			t.Errorf("%s is nowhere before the deletion either: it proves nothing", n)
		}
	}
	untouched := digests(t, conn, other)

	// Asked, taken back, asked again.
	ada.run("tenant", "delete", "The tenant of ada", "--yes")
	t.Log(strings.TrimSpace(ada.run("tenant", "deletion")))
	ada.run("tenant", "keep")
	began := time.Now()
	ada.run("tenant", "delete", "The tenant of ada", "--yes", "--now")
	w.SaaS.Says("deleting a tenant", time.Minute)
	w.SaaS.Kill()
	left := search(t, conn, []string{tenant})
	w.SaaS.Start()
	w.SaaS.Says("a tenant is deleted", 5*time.Minute)
	t.Logf("killed when %d rows of %d tables still named the tenant; deleted %v after it was asked for", left.hits[tenant], len(left.where[tenant]), time.Since(began).Round(time.Millisecond))

	hers[0].Says("not enrolled", 3*time.Minute)
	if out, err := exec.Command("env", append(ada.env, filepath.Join(w.Bin, "assim"), "whoami")...).CombinedOutput(); err == nil {
		t.Errorf("Ada is still let in: %s", out)
	}
	after := search(t, conn, needles)
	for needle, n := range after.hits {
		t.Errorf("%s is still in %d rows: %v", needle, n, after.where[needle])
	}
	t.Logf("searched for %d texts in %d tables with %d rows (before: %d tables, %d rows, every text found): %d hits", len(needles), after.tables, after.rows, before.tables, before.rows, len(after.hits))
	if now := digests(t, conn, other); !maps.Equal(now, untouched) {
		t.Errorf("the other tenant was %v, is %v", untouched, now)
	}
	t.Logf("the other tenant: %d tables with rows, unchanged", len(untouched))
	if stones := texts(t, conn, `SELECT id || ' ' || on_day FROM assim.tombstones`); len(stones) != 1 {
		t.Errorf("tombstones: %v", stones)
	} else {
		t.Logf("what stays: %s", stones[0])
	}
	if who := bob.run("whoami"); !strings.Contains(who, "bob@bob.example") {
		t.Errorf("Bob is %s", who)
	}
}

// holdExport compares the export's counts with the database's.
func holdExport(t *testing.T, conn *pgx.Conn, file, tenant string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := exportfile.Verify(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range m.Tables {
		sql := `SELECT count(*) FROM assim.` + of.Name + ` WHERE tenant = $1`
		switch of.Name {
		case "tenant":
			sql = `SELECT count(*) FROM assim.tenants WHERE id = $1`
		case "people":
			sql = `SELECT count(*) FROM assim.members WHERE tenant = $1`
		case "vertices", "edges": // the tables of all labels inherit from these
			sql = map[string]string{"vertices": `SELECT count(*) FROM @._ag_label_vertex WHERE $1::uuid IS NOT NULL`, "edges": `SELECT count(*) FROM @._ag_label_edge WHERE $1::uuid IS NOT NULL`}[of.Name]
			sql = strings.ReplaceAll(sql, "@", "g_"+strings.ReplaceAll(tenant, "-", ""))
		}
		var n int64
		if err := conn.QueryRow(t.Context(), sql, tenant).Scan(&n); err != nil || n != of.Rows {
			t.Errorf("%s: the export has %d rows, the database %d: %v", of.Name, of.Rows, n, err)
		}
	}
}
