package command

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
	"github.com/goanymail/anymail/esp/all"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/simulator"
)

// settingFor returns the setting for the keys of an ESP's signatures: its first one
// for keys, "" if it has none.
func settingFor(name string) string {
	if name == "amazonses" { // its keys are Amazon's, but for tests
		return "amazonses.insecure_test_certificates"
	}
	spec, _ := all.Find(name)
	i := slices.IndexFunc(spec.Settings, func(s esp.Setting) bool { return s.Kind == esp.KindKeys })
	if spec.Signature == "" || i < 0 {
		return ""
	}
	return name + "." + spec.Settings[i].Name
}

// keyFor makes a key as a user has one. It returns "" if the ESP signs nothing.
func keyFor(t *testing.T, name string) string {
	t.Helper()
	if settingFor(name) == "" {
		return ""
	}
	key, err := allsim.Find(name).NewCredential().Key()
	require.NoError(t, err)
	return key
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
	der, err := x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public())
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(der)
}

// usualSample is the sample of a bounce, or the first one if the ESP reports none.
func usualSample(sim *simulator.Simulator) simulator.Sample {
	for _, sample := range sim.Samples {
		if slices.Equal(sample.Types, []anymail.EventType{anymail.EventBounced}) {
			return sample
		}
	}
	return sim.Samples[0]
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.NoError(t, json.NewDecoder(resp.Body).Decode(v))
}
