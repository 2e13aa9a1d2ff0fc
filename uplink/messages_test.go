package uplink_test

import (
	"reflect"
	"strings"
	"testing"

	"assimilation/tenancy"
	"assimilation/uplink"
	"assimilation/wire"
)

func TestMessagesComeBack(t *testing.T) {
	wantRequest, wantOrders, wantAck := ordersRequest(), orders(), ack()
	payload, err := wantRequest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := uplink.DecodeOrdersRequest(payload); err != nil || !reflect.DeepEqual(got, wantRequest) {
		t.Errorf("orders request = %+v, %v", got, err)
	}
	if payload, err = wantOrders.Encode(); err != nil {
		t.Fatal(err)
	}
	if got, err := uplink.DecodeOrders(payload); err != nil || !reflect.DeepEqual(got, wantOrders) {
		t.Errorf("orders = %+v, %v", got, err)
	}
	if payload, err = wantAck.Encode(); err != nil {
		t.Fatal(err)
	}
	if got, err := uplink.DecodeAck(payload); err != nil || !reflect.DeepEqual(got, wantAck) {
		t.Errorf("ack = %+v, %v", got, err)
	}
	wantOrders = siteOrders()
	if payload, err = wantOrders.Encode(); err != nil {
		t.Fatal(err)
	}
	if got, err := uplink.DecodeOrders(payload); err != nil || !reflect.DeepEqual(got, wantOrders) {
		t.Errorf("orders of a site = %+v, %v", got, err)
	}
	wantAnswer := answer()
	if payload, err = wantAnswer.Encode(); err != nil {
		t.Fatal(err)
	}
	if got, err := uplink.DecodeAnswer(payload); err != nil || !reflect.DeepEqual(got, wantAnswer) {
		t.Errorf("answer = %+v, %v", got, err)
	}
}

func TestMessagesAreChecked(t *testing.T) {
	request, answer, ask, give, done := enrolRequest(t), enrolAnswer(), ordersRequest(), orders(), ack()
	type checked interface{ Check() error }
	spoil := func(name string, message checked) {
		t.Helper()
		if err := message.Check(); wire.ReasonOf(err) == wire.Accepted {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, good := range []checked{request, answer, ask, give, done} {
		if err := good.Check(); err != nil {
			t.Errorf("%T: %v", good, err)
		}
	}
	// Each of them is wrong in one field.
	r := request
	r.TokenID = "short"
	spoil("token id", r)
	r = request
	r.Secret = fill(19, 1)
	spoil("secret", r)
	r = request
	r.Name = ""
	spoil("relay without a name", r)
	r = request
	r.Name = "a\nb"
	spoil("relay's name with a line break", r)
	r = request
	r.NoiseKey = nil
	spoil("noise key", r)
	r = request
	r.SignKey = fill(31, 1)
	spoil("signing key", r)
	r = request
	r.SealKey = fill(1216, 0xff)
	spoil("seal key", r)
	r = request
	r.Nonce = nil
	spoil("nonce of an enrolment", r)
	r = request
	r.Time = -1
	spoil("time of an enrolment", r)

	a := answer
	a.Nonce = nil
	spoil("nonce of an answer", a)
	a = answer
	a.Relay = tenancy.RelayID{}
	spoil("relay id", a)
	a = answer
	a.SiteKey = nil
	spoil("site key", a)
	a = answer
	a.Certificate = nil
	spoil("certificate", a)
	a = answer
	a.Detail = strings.Repeat("x", 1025)
	spoil("detail", a)

	q := ask
	q.Wait = uplink.MaxWait + 1
	spoil("wait", q)
	q = ask
	q.Backlog = 1 << 63
	spoil("backlog", q)
	q = ask
	q.Version = strings.Repeat("1", 65)
	spoil("version", q)
	q = ask
	q.Time = 0
	spoil("time", q)

	for name, token := range map[string]uplink.TokenOrder{
		"token id of orders": {ID: "x", Hash: fill(32, 1)},
		"hash of a token":    {ID: tokenID, Hash: fill(31, 1)},
		"allowance":          {ID: tokenID, Hash: fill(32, 1), Allowance: -2},
		"expiry":             {ID: tokenID, Hash: fill(32, 1), Expires: -1},
		"labels":             {ID: tokenID, Hash: fill(32, 1), Labels: map[string]string{"": ""}},
	} {
		o := give
		o.Tokens = []uplink.TokenOrder{token}
		spoil(name, o)
	}
	o := give
	o.Tokens = make([]uplink.TokenOrder, uplink.MaxTokens+1)
	spoil("number of tokens", o)
	o = give
	o.Certificate = fill(1025, 1)
	spoil("certificate of orders", o)

	k := done
	k.Chain = fill(31, 1)
	spoil("chain", k)
	k = done
	k.Nonce = nil
	spoil("nonce of an acknowledgement", k)
}

func TestDecodersWantOneForm(t *testing.T) {
	nonce := append([]byte{0x06, 0x50}, fill(16, 1)...) // key 6, 16 bytes
	for name, c := range map[string]struct {
		payload []byte
		want    wire.Reason
	}{
		"smallest ack":      {append([]byte{0xa1}, nonce...), wire.Accepted},
		"unknown key":       {append([]byte{0xa2, 0x18, 0x63, 0x01}, nonce...), wire.Accepted},
		"duplicate key":     {append(append([]byte{0xa2}, nonce...), nonce...), wire.Malformed},
		"indefinite map":    {append(append([]byte{0xbf}, nonce...), 0xff), wire.Malformed},
		"tagged":            {append([]byte{0xc6, 0xa1}, nonce...), wire.Malformed},
		"text for a number": {append([]byte{0xa2, 0x04, 0x61, 'a'}, nonce...), wire.Malformed},
		"negative position": {append([]byte{0xa2, 0x04, 0x20}, nonce...), wire.Malformed},
		"invalid UTF-8":     {append([]byte{0xa2, 0x02, 0x61, 0xff}, nonce...), wire.Malformed},
		"tail":              {append(append([]byte{0xa1}, nonce...), 0), wire.Malformed},
		"deep":              {append(append([]byte{0xa2, 0x18, 0x63}, fill(20, 0x81)...), append([]byte{0x80}, nonce...)...), wire.Malformed},
		"nothing":           {nil, wire.Malformed},
	} {
		_, err := uplink.DecodeAck(c.payload)
		wantReason(t, name, err, c.want)
	}
}
