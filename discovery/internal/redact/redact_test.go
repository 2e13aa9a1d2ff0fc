package redact

import (
	"slices"
	"strings"
	"testing"
)

func TestArgs(t *testing.T) {
	tests := []struct{ in, want []string }{
		// What is no secret stays.
		{words("nginx -g daemon"), words("nginx -g daemon")},
		{words("sshd -p 2222"), words("sshd -p 2222")},
		{words("postgres -D /var/lib/postgresql/17 -c config_file=/etc/x.conf"), words("postgres -D /var/lib/postgresql/17 -c config_file=/etc/x.conf")},
		{words("java -Xmx1g -jar app.jar --server.port=8080"), words("java -Xmx1g -jar app.jar --server.port=8080")},
		{words("haproxy -Ws -f /etc/haproxy.cfg"), words("haproxy -Ws -f /etc/haproxy.cfg")},
		{words("curl -u root https://host:8443/a@b"), words("curl -u root https://host:8443/a@b")},
		{words("redis-server *:6379"), words("redis-server *:6379")},
		{words("kafka --listeners tcp://a:1,tcp://b:2"), words("kafka --listeners tcp://a:1,tcp://b:2")},
		{words("proxy http://[::1]:80/"), words("proxy http://[::1]:80/")},
		{[]string{"a", "", " ", "b  c"}, []string{"a", "", " ", "b  c"}},
		{nil, []string{}},
		{words("docker run redis:7@sha256:0a1b"), words("docker run redis:7@sha256:0a1b")},
		{words("git clone git@github.com:a/b.git"), words("git clone git@github.com:a/b.git")},
		{words("/usr/bin/ssh -L 1:h:2 u@h"), words("/usr/bin/ssh -L 1:h:2 u@h")},
		// Secrets.
		{words("/opt/oracle/bin/sqlplus -S scott/S@ORCL"), words("/opt/oracle/bin/sqlplus -S scott/***")},
		{words("a --dsn=u:S@tcp(10.0.0.1:3306)/db"), words("a --dsn=u:***")},
		{words("a u:S/x@h:21"), words("a u:***")},
		{words("curl https://h/c?sv=1&sig=S"), words("curl https://h/c?sv=1&sig=***")},
		{words("curl https://hooks.slack.com/services/T/B/S"), words("curl https://hooks.slack.com/services/***")},
		{words("curl -b sid=S https://h"), words("curl -b *** https://h")},
		{words("a --password S"), words("a --password ***")},
		{words("a --password=S"), words("a --password=***")},
		{words("a -password S -x"), words("a -password *** -x")},
		{words("a --db-passwd=S,x"), words("a --db-passwd=***")},
		{words("a --api-key S"), words("a --api-key ***")},
		{words("a --apikey=S"), words("a --apikey=***")},
		{words("a --accessKey S"), words("a --accessKey ***")},
		{words("a --client_secret S"), words("a --client_secret ***")},
		{words("a --auth-token:S"), words("a --auth-token:***")},
		{words("a --credentials S"), words("a --credentials ***")},
		{words("a --token -S"), words("a --token ***")},
		{words("a -p S"), words("a -p ***")},
		{words("mysql -pS -u root"), words("mysql -p*** -u root")},
		{words("mysql -p 1234"), words("mysql -p ***")},
		{words("sudo /usr/bin/mysqldump -pS db"), words("sudo /usr/bin/mysqldump -p*** db")},
		{words("sshpass -pS ssh -p 22 h"), words("sshpass -p*** ssh -p *** h")},
		{words("redis-cli -a S ping"), words("redis-cli -a *** ping")},
		{words("curl -u me:S https://h/"), words("curl -u me:*** https://h/")},
		{words("curl -ume:S"), words("curl -ume:***")},
		{words("curl --user=me:S"), words("curl --user=me:***")},
		{words("smbclient -U me%S"), words("smbclient -U me%***")},
		{words("PGPASSWORD=S psql"), words("PGPASSWORD=*** psql")},
		{words("docker run -e MYSQL_ROOT_PASSWORD=S mysql"), words("docker run -e MYSQL_ROOT_PASSWORD=*** mysql")},
		{words("java -Djavax.net.ssl.keyStorePassword=S"), words("java -Djavax.net.ssl.keyStorePassword=***")},
		{words("openssl -passin pass:S"), words("openssl -passin ***")},
		{words("a postgres://me:S@h:5432/db"), words("a postgres://***@h:5432/db")},
		{words("a amqp://me:S/S@h/"), words("a amqp://***@h/")},
		{words("a http://me:S@S@h/"), words("a http://***@h/")},
		{words("a x=http://S@h/,http://S@i/"), words("a x=http://***@h/,http://***@i/")},
		{words("a jdbc:mysql://h/db?user=me&password=S&x=y"), words("a jdbc:mysql://h/db?user=me&password=***")},
		{words(`a {"user":"me","password":"S"}`), words(`a {"user":"me","password":***`)},
		{words("redis-cli config set requirepass S"), words("redis-cli config set requirepass ***")},
		{[]string{"curl", "-H", "Authorization: Bearer S"}, []string{"curl", "-H", "Authorization: ***"}},
		{[]string{"curl", "-H", "X-Api-Key: S"}, []string{"curl", "-H", "X-Api-Key: ***"}},
		{[]string{"sh", "-c", "mysql -u root -pS db"}, []string{"sh", "-c", "mysql -u root -p***"}},
		{[]string{"sh", "-c", "PASSWORD='S S' a"}, []string{"sh", "-c", "PASSWORD=***"}},
		{[]string{"sh", "-c", "a --password 'S S' b"}, []string{"sh", "-c", "a --password ***"}},
		{[]string{"a", "Server=h;Pwd = S"}, []string{"a", "Server=h;Pwd = ***"}},
		{[]string{"a", `{"password" : "S"}`}, []string{"a", `{"password" : ***`}},
		{words("a --use-token-auth --password S"), words("a --use-token-auth *** ***")},
		{[]string{"sh", "-c", "a --token S --password", "S"}, []string{"sh", "-c", "a --token ***", "***"}},
		{words("a eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJS"), words("a ***")},
		{words("a ghp_0123456789abcdefghij"), words("a ***")},
		{words("a asm_enr_12345678_SSSSSSSS"), words("a ***")},
	}
	for _, test := range tests {
		if got := Args(test.in); !slices.Equal(got, test.want) {
			t.Errorf("%q:\n got %q\nwant %q", test.in, got, test.want)
		}
	}
}

func words(s string) []string { return strings.Fields(s) }

// FuzzArgs puts a canary where a secret stands, after any other arguments.
func FuzzArgs(f *testing.F) {
	for _, prefix := range []string{"mysql", "sh\x00-c", "a\x00--token", "http://x@y", "a b \x00 --", "-p", "-u", "é=\xff"} {
		f.Add(prefix)
	}
	f.Fuzz(func(t *testing.T, prefix string) {
		const canary = "cAnArY99"
		if strings.Contains(prefix, "cAnA") {
			return
		}
		before := strings.Split(prefix, "\x00")
		for _, secret := range [][]string{
			{"--password", canary}, {"--password=" + canary}, {"DB_PASSWORD=" + canary}, {"-p", canary},
			{"http://me:" + canary + "@host/"}, {"--api-key", canary}, {"x --secret " + canary}, {"Authorization: Bearer " + canary},
			{"mysql", "-p" + canary},
		} {
			in := append(slices.Clone(before), secret...)
			out := Args(in)
			if len(out) != len(in) {
				t.Errorf("%q: %d arguments of %d", in, len(out), len(in))
			}
			if strings.Contains(strings.Join(out, "\x00"), canary) {
				t.Errorf("%q: %q", in, out)
			}
		}
	})
}
