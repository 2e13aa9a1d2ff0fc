// Package unixhttp asks servers behind unix sockets for documents: the little of
// HTTP/1.0 (RFC 1945) that the engines of containers need. Asked in that version, a
// server neither sends chunks nor keeps the connection. The package net/http would
// cost the probe two megabytes.
package unixhttp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
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
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.0\r\nHost: localhost\r\n\r\n"); err != nil {
		return nil, fmt.Errorf("asking %s for %s: %w", socket, path, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, int64(maxHeader+limit)))
	if err != nil {
		return nil, fmt.Errorf("reading %s from %s: %w", path, socket, err)
	}
	document, err := parse(answer, limit)
	if err != nil {
		return nil, fmt.Errorf("reading %s from %s: %w", path, socket, err)
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
