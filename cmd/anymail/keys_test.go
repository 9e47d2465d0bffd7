package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/esp/all/allsim"
)

// settingFor is the setting for the keys of tracking webhooks.
var settingFor = map[string]string{
	"amazonses":  "amazonses.insecure_test_certificates",
	"mailersend": "mailersend.tracking_secrets", "mailgun": "mailgun.signing_keys", "mailtrap": "mailtrap.tracking_secrets",
	"mandrill": "mandrill.keys", "postal": "postal.keys", "resend": "resend.tracking_secrets", "sendgrid": "sendgrid.verification_keys",
	"unisendergo": "unisendergo.api_keys",
}

// keyFor makes a key as a user has one. It returns "" if the ESP signs nothing.
func keyFor(t *testing.T, esp string) string {
	t.Helper()
	var private any
	var err error
	switch esp {
	case "amazonses":
		key, err := allsim.Find(esp).NewCredential().Key()
		require.NoError(t, err)
		return key
	case "postal":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "sendgrid":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		if settingFor[esp] == "" {
			return ""
		}
		return allsim.Find(esp).NewCredential().Config
	}
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// publicFor returns the key for the server.
func publicFor(t *testing.T, esp, key string) string {
	t.Helper()
	if esp == "amazonses" {
		credential, err := allsim.Find(esp).Credential(key)
		require.NoError(t, err)
		return credential.Config
	}
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return key
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	var public any
	switch private := private.(type) {
	case *rsa.PrivateKey:
		public = &private.PublicKey
	case *ecdsa.PrivateKey:
		public = &private.PublicKey
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(der)
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.NoError(t, json.NewDecoder(resp.Body).Decode(v))
}
