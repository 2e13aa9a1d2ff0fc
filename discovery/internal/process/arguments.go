package process

import (
	"slices"
	"strings"

	"assimilation/discovery"
	"assimilation/discovery/internal/redact"
)

// Limits of a command line in a fact.
const (
	maxArgs = 64
	maxArg  = 256
)

// arguments splits a command line as proc(5) has it.
func arguments(line string) []string {
	line = strings.TrimRight(line, "\x00")
	if line == "" {
		return nil
	}
	return Arguments(strings.Split(line, "\x00"))
}

// Arguments takes the secrets out of a command line, then bounds it.
func Arguments(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	if title, is := processTitle(argv); is {
		argv = []string{title}
	}
	argv = redact.Args(argv)
	if len(argv) > maxArgs {
		argv = argv[:maxArgs]
	}
	for i, arg := range argv {
		argv[i] = discovery.Clean(arg, maxArg)
	}
	return argv
}

// processTitle recognises a command line that the program wrote itself
// (setproctitle: "nginx: worker process", "postgres: walreceiver streaming
// 0/3000148") and returns the words that do not change with its state: those
// before the first one that holds anything but letters.
func processTitle(argv []string) (string, bool) {
	if slices.ContainsFunc(argv[1:], func(arg string) bool { return arg != "" }) {
		return "", false
	}
	words := strings.Fields(argv[0])
	if len(words) < 2 || !strings.HasSuffix(words[0], ":") || strings.HasPrefix(words[0], "/") {
		return "", false
	}
	steady := 1
	for steady < len(words) && !strings.ContainsFunc(words[steady], notLetter) {
		steady++
	}
	return strings.Join(words[:steady], " "), true
}

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }
