package pgtest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// userHertz is the unit of times in /proc/PID/stat (proc_pid_stat(5)): 100 on
// every Linux that Go runs on.
const userHertz = 100

// CPU is the processor time that this process and the server's sessions in the
// database of conn have used so far, kernel included. Work per core is what lasts
// when others use the machine too. Sessions that ended in between are not
// counted, nor are the server's own processes. The server must run on this
// machine and outside of a container.
func CPU(t testing.TB, conn *pgx.Conn) time.Duration {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database()`)
	if err != nil {
		t.Fatalf("pgtest: listing sessions: %v", err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		t.Fatalf("pgtest: listing sessions: %v", err)
	}
	var own unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &own); err != nil {
		t.Fatalf("pgtest: reading the process's own time: %v", err)
	}
	total := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	for _, pid := range pids {
		used, err := processorTime(pid)
		if err != nil {
			t.Fatalf("pgtest: reading a session's time: %v", err)
		}
		total += used
	}
	return total
}

func processorTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(b), ") ") // the name may hold spaces
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields behind the name", pid, len(fields))
	}
	var ticks int
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / userHertz, nil
}
