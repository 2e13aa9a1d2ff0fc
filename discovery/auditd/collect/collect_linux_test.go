package collect

import (
	"testing"

	kind "assimilation/discovery/auditd"
	"assimilation/discovery/internal/conffiletest"
)

func TestSuite(t *testing.T) {
	conffiletest.New(New).Suite(t, kind.Kind, map[string]string{
		"etc/audit/auditd.conf":      "# x\nlog_file = /var/log/audit/audit.log\nMax_Log_File=8\nbroken\n",
		"etc/audit/audit.rules":      "-a wrong\n",
		"etc/audit/rules.d/10.rules": "-D\n-w /etc/passwd  -p wa -k id\n",
		"etc/audit/rules.d/x.txt":    "-w no\n",
	})
}

func FuzzBody(f *testing.F) { conffiletest.New(New).Fuzz(f, kind.Kind, "etc/audit/auditd.conf") }
