package world

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Answers waits until a URL answers 200.
func Answers(t testing.TB, url string) {
	t.Helper()
	client := http.Client{Timeout: 2 * time.Second}
	Eventually(t, Patience, url, func() (bool, string) {
		res, err := client.Get(url)
		if err != nil {
			return false, err.Error()
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK, fmt.Sprint(res.Status)
	})
}
