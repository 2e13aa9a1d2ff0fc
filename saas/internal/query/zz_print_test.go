package query

import ("testing";"fmt";"os";"assimilation/tenancy";"strings";"encoding/json")

func TestPrintText(t *testing.T) {
	s, err := New(nil)
	if err != nil { t.Fatal(err) }
	id := func() tenancy.TenantID { var x tenancy.TenantID; x.UnmarshalText([]byte(os.Getenv("TEN"))); return x }()
	for _, q := range s.queries {
		if q.Name == os.Getenv("Q") {
			text := q.text(id)
			if os.Getenv("PAST") != "" { text = q.textAsOf(id) }
			for i := range q.bound { 
				v, _ := json.Marshal(os.Getenv("P"))
				text = strings.ReplaceAll(text, fmt.Sprintf("$%d::", q.hiddenColumns()+i+1), "'"+string(v)+"'::") }
			n := q.hiddenColumns()+len(q.bound)
			text = strings.ReplaceAll(text, fmt.Sprintf("$%d OFFSET $%d", n+1, n+2), "1001 OFFSET 0")
			text = strings.ReplaceAll(text, fmt.Sprintf("$%d::timestamptz", n+3), "(now() - interval '6 days')")
			fmt.Println("\nBEGIN-SQL\n"+text+";\nEND-SQL")
		}
	}
}
