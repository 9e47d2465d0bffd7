package esp_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

type adapter struct{ anymail.Adapter }

// spec is of an ESP with one setting of each kind. It hands on what New reads.
func spec(read func(esp.Values)) esp.Spec {
	return esp.Spec{
		Name: "example", Title: "Example",
		Settings: []esp.Setting{
			{Name: "header_name"},
			{Name: "strict", Kind: esp.KindBool},
			{Name: "hosts", Kind: esp.KindList},
			{Name: "signing_keys", Kind: esp.KindKeys, Secret: true},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			read(v)
			return &adapter{}, nil
		},
	}
}

func TestValues(t *testing.T) {
	client := &http.Client{}
	for name, tt := range map[string]struct {
		settings map[string][]string
		text     string
		strict   bool
		hosts    []string
		keys     []string
	}{
		"none":          {},
		"empty lists":   {settings: map[string][]string{"header_name": {}, "strict": {}, "hosts": nil, "signing_keys": {}}},
		"one of each":   {map[string][]string{"header_name": {"X-A"}, "strict": {"true"}, "hosts": {"a"}, "signing_keys": {"k"}}, "X-A", true, []string{"a"}, []string{"k"}},
		"several":       {settings: map[string][]string{"hosts": {"a", "b"}, "signing_keys": {"k", "l"}}, hosts: []string{"a", "b"}, keys: []string{"k", "l"}},
		"false":         {settings: map[string][]string{"strict": {"false"}}},
		"another truth": {settings: map[string][]string{"strict": {"1"}}, strict: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := spec(func(v esp.Values) {
				require.Same(t, client, v.Client)
				require.Equal(t, tt.text, v.Text("header_name"))
				require.Equal(t, tt.strict, v.Bool("strict"))
				require.ElementsMatch(t, tt.hosts, v.List("hosts"))
				source := v.Keys("signing_keys")
				if tt.keys == nil {
					require.Nil(t, source)
					return
				}
				keys, err := source.Keys(t.Context())
				require.NoError(t, err)
				require.Equal(t, tt.keys, keys)
			}).Adapter(esp.Values{Settings: tt.settings, Client: client})
			require.NoError(t, err)
		})
	}
}

func TestAdapterRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string][]string
		setting  string
		want     string
	}{
		"unknown":        {map[string][]string{"signing_key": {"s3cret"}}, "example.signing_key", "is not a setting of Example, which has header_name, strict, hosts, signing_keys"},
		"several texts":  {map[string][]string{"header_name": {"s3cret", "b"}}, "example.header_name", "must have one value"},
		"several truths": {map[string][]string{"strict": {"true", "s3cret"}}, "example.strict", "must have one value"},
		"no truth":       {map[string][]string{"strict": {"s3cret"}}, "example.strict", "must be true or false"},
		"an empty truth": {map[string][]string{"strict": {""}}, "example.strict", "must be true or false"},
		"an empty text":  {map[string][]string{"header_name": {""}}, "example.header_name", "must not be empty"},
		"white space":    {map[string][]string{"hosts": {"a", "s3cret "}}, "example.hosts[1]", "must not have white space around it"},
		"a control":      {map[string][]string{"signing_keys": {"s3cret\x00"}}, "example.signing_keys[0]", "must not have control characters or invisible ones"},
		"a null":         {map[string][]string{"signing_keys": {"null"}}, "example.signing_keys[0]", "must be a value: programs that fill in templates write this text for a missing one"},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := spec(func(esp.Values) { t.Error("New is called") }).Adapter(esp.Values{Settings: tt.settings})
			require.Nil(t, made)
			require.ErrorIs(t, err, anymail.ErrConfig)
			var config *anymail.ConfigError
			require.ErrorAs(t, err, &config)
			require.Equal(t, tt.setting, config.Setting)
			require.EqualError(t, config.Err, tt.want)
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func TestAdapterReportsEverySetting(t *testing.T) {
	_, err := spec(func(esp.Values) {}).Adapter(esp.Values{Settings: map[string][]string{"strict": {"perhaps"}, "no_such": nil}})
	require.ErrorContains(t, err, "example.no_such")
	require.ErrorContains(t, err, "example.strict")
}

// The error of a constructor names its own fields.
func TestAdapterNamesTheSetting(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"one of several": {anymail.Misconfigured("example.Config.SigningKeys[1]", "is short"), "anymail: configuration: example.signing_keys[1]: is short"},
		"a struct below": {anymail.Misconfigured("example.Config.Signing.Keys", "is short"), "anymail: configuration: example.signing_keys: is short"},
		"two together":   {anymail.Misconfigured("example.Config", "HeaderName needs Hosts"), "anymail: configuration: example: header_name needs hosts"},
		"joined": {
			errors.Join(anymail.Misconfigured("example.Config.Hosts", "is a"), errors.New("other")),
			"anymail: configuration: example.hosts: is a\nother",
		},
		"of something else": {anymail.Misconfigured("Other.Hosts", "is a"), "anymail: configuration: Other.Hosts: is a"},
	} {
		t.Run(name, func(t *testing.T) {
			failing := spec(func(esp.Values) {})
			failing.New = func(esp.Values) (anymail.Adapter, error) { return nil, tt.err }
			_, err := failing.Adapter(esp.Values{})
			require.EqualError(t, err, tt.want)
			require.ErrorIs(t, err, anymail.ErrConfig)
		})
	}
}

func TestAdapterFails(t *testing.T) {
	down := errors.New("down")
	failing := esp.Spec{Name: "example", New: func(esp.Values) (anymail.Adapter, error) { return (*adapter)(nil), down }}
	made, err := failing.Adapter(esp.Values{})
	require.ErrorIs(t, err, down)
	require.True(t, made == nil, "a nil pointer in an interface is not nil")
}
