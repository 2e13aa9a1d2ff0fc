package otelexport

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestSettingsAreChecked(t *testing.T) {
	good := Settings{Name: "c", Protocol: "grpc", Endpoint: "https://otlp.example.org:4317", Headers: map[string]string{"Authorization": "Bearer x"}}
	for what, test := range map[string]struct {
		change func(*Settings)
		fault  string
	}{
		"good":              {func(*Settings) {}, ""},
		"no name":           {func(s *Settings) { s.Name = " " }, "name"},
		"unknown protocol":  {func(s *Settings) { s.Protocol = "carrier pigeon" }, "protocol"},
		"a path of gRPC":    {func(s *Settings) { s.Endpoint += "/v1" }, "endpoint"},
		"unknown signal":    {func(s *Settings) { s.Signals = []Signal{"smoke"} }, "signals"},
		"compression":       {func(s *Settings) { s.Compression = "zip" }, "compression"},
		"header of ours":    {func(s *Settings) { s.Headers["content-type"] = "x" }, "headers"},
		"header of gRPC":    {func(s *Settings) { s.Headers["grpc-timeout"] = "x" }, "headers"},
		"header's name":     {func(s *Settings) { s.Headers["a b"] = "x" }, "headers"},
		"header's value":    {func(s *Settings) { s.Headers["a"] = "x\r\nb: y" }, "headers"},
		"no authority":      {func(s *Settings) { s.CA = "not PEM" }, "ca"},
		"long header value": {func(s *Settings) { s.Headers["a"] = strings.Repeat("x", maxHeader+1) }, "headers"},
	} {
		t.Run(what, func(t *testing.T) {
			s := good
			s.Headers = map[string]string{"Authorization": "Bearer x"}
			test.change(&s)
			e, sec, err := s.check(false)
			switch {
			case test.fault == "" && (err != nil || len(e.Signals) != 3 || sec.Headers["authorization"] != "Bearer x" || e.Headers[0] != "authorization"):
				t.Errorf("%+v, %v", e, err)
			case test.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), test.fault)):
				t.Errorf("error %v, want one about %s", err, test.fault)
			}
		})
	}
}

func TestOnlyWhatIsBadIsGivenUp(t *testing.T) {
	failed := errors.New("failed to send logs: 4xx")
	byHTTP := func(code int) *collector { return &collector{status: &lastStatus{code: code}} }
	for _, test := range []struct {
		c       *collector
		err     error
		refused int64
		again   bool
	}{
		{&collector{}, nil, 0, false},
		{&collector{}, status.Error(codes.InvalidArgument, "bad"), 10, false},
		{&collector{}, status.Error(codes.Unauthenticated, "who?"), 0, true},
		{&collector{}, status.Error(codes.Unavailable, "later"), 0, true},
		{&collector{}, errors.Join(errors.New("OTLP partial success: some are bad (3 logs rejected)"), nil), 3, false},
		{&collector{}, errors.New("OTLP partial success: careful (0 logs rejected)"), 0, false},
		{byHTTP(http.StatusBadRequest), failed, 10, false},
		{byHTTP(http.StatusRequestEntityTooLarge), failed, 10, false},
		{byHTTP(http.StatusForbidden), failed, 0, true},
		{byHTTP(http.StatusTooManyRequests), failed, 0, true},
		{byHTTP(0), failed, 0, true},
	} {
		if f := test.c.fateOf(test.err, 10); f.refused != test.refused || f.again != test.again {
			t.Errorf("%v: %+v", test.err, f)
		}
	}
	if text := problemText(errors.New(strings.Repeat("\x1b[2J", 1000))); len(text) > maxProblem+3 || strings.Contains(text, "\x1b") {
		t.Errorf("a problem's text: %q", text)
	}
}

func TestTheWaitGrows(t *testing.T) {
	for _, tries := range []int{0, 1, 5, 20, 1 << 30} {
		longest := min(firstWait<<min(tries, 10), maxWait)
		if d := wait(tries); d < longest/2 || d > longest || d > 5*time.Minute {
			t.Errorf("after %d failures: %v", tries, d)
		}
	}
}
