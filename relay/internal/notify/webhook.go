package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// webhook posts the JSON, with the headers of Standard Webhooks
// (https://www.standardwebhooks.com): webhook-id is the key, and where there is
// a secret webhook-signature is HMAC-SHA256 over id, time and body.
type webhook struct {
	url    string
	secret []byte
	client *http.Client
}

const (
	webhookTimeout = 10 * time.Second
	maxAnswer      = 64 << 10 // bytes read so that the connection can be used again
	minSecret      = 24       // bytes, by the standard
)

func openWebhook(config Config) (channel, error) {
	target, err := url.Parse(config.Webhook)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, errors.New("it needs an http:// or https:// URL") // not repeated: it may hold a secret
	}
	secret, err := webhookSecret(config.WebhookSecret)
	if err != nil {
		return nil, err
	}
	return &webhook{url: config.Webhook, secret: secret, client: &http.Client{
		Timeout:       webhookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func webhookSecret(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, "whsec_")
	secret := []byte(text)
	if ok {
		var err error
		if secret, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("what follows whsec_ in its secret is not base64")
		}
	}
	if text != "" && len(secret) < minSecret {
		return nil, fmt.Errorf("its secret has %d bytes, fewer than %d", len(secret), minSecret)
	}
	return secret, nil
}

func (w *webhook) tell(ctx context.Context, m *message) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(m.body))
	if err != nil {
		return final{err}
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "assim-relay")
	request.Header.Set("webhook-id", m.key)
	request.Header.Set("webhook-timestamp", now)
	if len(w.secret) > 0 {
		request.Header.Set("webhook-signature", "v1,"+sign(w.secret, m.key, now, m.body))
	}
	response, err := w.client.Do(request)
	if err != nil {
		if urlError, ok := errors.AsType[*url.Error](err); ok {
			err = urlError.Err // the URL may hold a secret
		}
		return fmt.Errorf("posting to %s: %w", request.URL.Host, err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	switch code := response.StatusCode; {
	case code/100 == 2:
		return nil
	case code/100 == 5 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return fmt.Errorf("%s answered %s", request.URL.Host, response.Status)
	}
	return final{fmt.Errorf("%s refused it: %s", request.URL.Host, response.Status)}
}

func sign(secret []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
