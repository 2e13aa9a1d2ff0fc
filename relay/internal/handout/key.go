package handout

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"time"

	"assimilation/uplink"
)

const (
	keyFile = "key.pem"
	keyType = "PRIVATE KEY"
)

// Pin is a key's hash as curl --pinnedpubkey and wget --pinnedpubkey take it.
func Pin(hash [uplink.HashSize]byte) string {
	return "sha256//" + base64.StdEncoding.EncodeToString(hash[:])
}

// readKey reads the key, or draws one: of P-256, which every TLS library of every
// host knows.
func readKey(folder *os.Root) (c tls.Certificate, hash [uplink.HashSize]byte, err error) {
	key, err := loadKey(folder)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = drawKey(folder)
	}
	if err != nil {
		return c, hash, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return c, hash, fmt.Errorf("encoding the installer's key: %w", err)
	}
	// Nobody looks at names or dates: hosts are told the key.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0), DNSNames: []string{"assim-relay"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return c, hash, fmt.Errorf("making the installer's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, sha256.Sum256(spki), nil
}

func loadKey(folder *os.Root) (*ecdsa.PrivateKey, error) {
	content, err := folder.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the installer's key: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != keyType {
		return nil, errors.New("the installer's key is damaged; remove " + keyFile + ", and take install lines anew")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("the installer's key is of another kind; remove " + keyFile + ", and take install lines anew")
	}
	return key, nil
}

func drawKey(folder *os.Root) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("drawing the installer's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err == nil {
		err = folder.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der}), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("keeping the installer's key: %w", err)
	}
	return key, nil
}
