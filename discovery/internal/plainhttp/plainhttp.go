// Package plainhttp asks servers nearby for documents, behind unix sockets or at a
// link-local address: the little of HTTP/1.0 (RFC 1945) that the engines of containers
// and the metadata services of clouds need. Asked in that version, a server neither
// sends chunks nor keeps the connection. The package net/http would cost the probe two
// megabytes.
package plainhttp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxHeader bounds what comes before the document.
const maxHeader = 16 << 10

// Status is the error of an answer that is no document.
type Status int

func (s Status) Error() string { return "status " + strconv.Itoa(int(s)) }

// Get asks the server at a socket for a document of at most limit bytes.
func Get(ctx context.Context, socket, path string, limit int) ([]byte, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Net: "unix", Name: socket}) // not net.Dialer: that links a resolver
	if err != nil {
		return nil, err
	}
	return exchange(ctx, conn, Request{Method: "GET", Host: "localhost", Path: path}, limit)
}

// Request is what a server is asked.
type Request struct {
	Method, Host, Path string
	Header             []string // "Name: value", which come from no outside
}

// Ask asks the server at an address for a document of at most limit bytes.
func Ask(ctx context.Context, server netip.AddrPort, request Request, limit int) ([]byte, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, err
	}
	return exchange(ctx, conn, request, limit)
}

// exchange asks, reads the whole answer, and closes the connection.
func exchange(ctx context.Context, conn net.Conn, request Request, limit int) ([]byte, error) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	server, path := conn.RemoteAddr().String(), request.Path
	lines := append([]string{request.Method + " " + path + " HTTP/1.0", "Host: " + request.Host}, request.Header...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		return nil, fmt.Errorf("asking %s for %s: %w", server, path, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, int64(maxHeader+limit)))
	if err != nil {
		return nil, fmt.Errorf("reading %s from %s: %w", path, server, err)
	}
	document, err := parse(answer, limit)
	if err != nil {
		return nil, fmt.Errorf("reading %s from %s: %w", path, server, err)
	}
	return document, nil
}

// parse takes the document out of a whole answer.
func parse(answer []byte, limit int) ([]byte, error) {
	header, document, whole := bytes.Cut(answer[:min(len(answer), maxHeader)], []byte("\r\n\r\n"))
	if !whole {
		return nil, fmt.Errorf("no end of the header in %d bytes", min(len(answer), maxHeader))
	}
	document = answer[len(header)+4:]
	first, fields, _ := strings.Cut(string(header), "\r\n")
	version, rest, _ := strings.Cut(first, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || !strings.HasPrefix(version, "HTTP/1.") {
		return nil, fmt.Errorf("the answer begins with %.40q", first)
	}
	if status != 200 {
		return nil, Status(status)
	}
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "transfer-encoding", "content-encoding":
			return nil, fmt.Errorf("%s %.40q was not asked for", name, value)
		case "content-length":
			if n, err := strconv.Atoi(value); err != nil || n > limit || n != len(document) {
				return nil, fmt.Errorf("%d bytes of a document of %.20q, of which at most %d are taken", len(document), value, limit)
			}
		}
	}
	if len(document) > limit {
		return nil, fmt.Errorf("the document has more than %d bytes", limit)
	}
	return document, nil
}
