package simulator_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp/all/allsim"
	"github.com/goanymail/anymail/esp/mailgun/mailgunsim"
	"github.com/goanymail/anymail/simulator"
)

func TestSampleOf(t *testing.T) {
	sim := &simulator.Simulator{Samples: []simulator.Sample{
		{Name: "ping"},
		{Name: "both", Types: []anymail.EventType{anymail.EventOpened, anymail.EventClicked}},
		{Name: "hard", Types: []anymail.EventType{anymail.EventBounced}, Reason: anymail.RejectInvalid},
		{Name: "spam", Types: []anymail.EventType{anymail.EventBounced}, Reason: anymail.RejectSpam},
		{Name: "spam and MIME", Types: []anymail.EventType{anymail.EventBounced}, Reason: anymail.RejectSpam, TakesMIME: true},
	}}
	spam := func(s simulator.Sample) bool { return s.Reason == anymail.RejectSpam }
	mime := func(s simulator.Sample) bool { return s.TakesMIME }
	tests := []struct {
		typ        anymail.EventType
		conditions []func(simulator.Sample) bool
		want       string // "" if there is none
	}{
		{anymail.EventBounced, nil, "hard"},
		{anymail.EventBounced, []func(simulator.Sample) bool{spam}, "spam"},
		{anymail.EventBounced, []func(simulator.Sample) bool{spam, mime}, "spam and MIME"},
		{anymail.EventOpened, nil, "both"},
		{anymail.EventOpened, []func(simulator.Sample) bool{mime}, ""},
		{anymail.EventClicked, nil, ""},
		{"", nil, ""},
	}
	for _, tt := range tests {
		got, ok := sim.SampleOf(tt.typ, tt.conditions...)
		require.Equal(t, tt.want, got.Name, tt.typ)
		require.Equal(t, tt.want != "", ok, tt.typ)
	}
}

// A key that was written down signs as the one that it was made of.
func TestKey(t *testing.T) {
	for _, sim := range allsim.List() {
		if sim.NewCredential == nil {
			_, err := sim.Credential("key")
			require.Error(t, err, sim.ESP)
			continue
		}
		t.Run(sim.ESP, func(t *testing.T) {
			made := sim.NewCredential()
			key, err := made.Key()
			require.NoError(t, err)
			read, err := sim.Credential(key)
			require.NoError(t, err)
			adapter, err := sim.NewAdapter(made)
			require.NoError(t, err)
			i := slices.IndexFunc(sim.Samples, func(s simulator.Sample) bool { return sim.Signs(s.Endpoint) })
			w := simulator.Webhook{Simulator: sim, URL: "https://hooks.example.com/anymail", Credential: read}
			r, err := w.Sign(sim.Samples[i].Make(simulator.NewParams()))
			require.NoError(t, err)
			for _, ep := range adapter.Endpoints() {
				if ep.Path == r.Endpoint {
					_, err = ep.Verifier.Verify(t.Context(), r.Payload(sim.ESP))
					require.NoError(t, err)
				}
			}
		})
	}
	for _, esp := range []string{"amazonses", "postal", "sendgrid"} {
		_, err := allsim.Find(esp).Credential("no key")
		require.ErrorContains(t, err, "PEM", esp)
	}
	key, err := allsim.Find("sendgrid").NewCredential().Key()
	require.NoError(t, err)
	for _, esp := range []string{"amazonses", "postal"} {
		_, err := allsim.Find(esp).Credential(key)
		require.Error(t, err, "a key of SendGrid for %s", esp)
	}
}

func TestWebhook(t *testing.T) {
	sim := mailgunsim.New()
	sample, _ := sim.Sample("delivered")
	unsigned := sample.Make(simulator.NewParams())
	tests := []struct {
		name          string
		webhook       simulator.Webhook
		url           string
		authorization string
	}{
		{"all", simulator.Webhook{URL: "https://a.example/x/", Name: "shop", Secret: "user:password"}, "https://a.example/x/shop/tracking/", "Basic dXNlcjpwYXNzd29yZA=="},
		{"defaults", simulator.Webhook{URL: "https://a.example"}, "https://a.example/mailgun/tracking/", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.webhook.Simulator = sim
			for _, make := range []func(simulator.Request) (simulator.Request, error){tt.webhook.Address, tt.webhook.Sign} {
				r, err := make(unsigned)
				require.NoError(t, err)
				require.Equal(t, tt.url, r.URL)
				require.Equal(t, tt.authorization, r.Header.Get("Authorization"))
				require.Equal(t, string(unsigned.Body), string(r.Body), "without a credential nothing is signed")
			}
			require.Empty(t, unsigned.Header.Get("Authorization"), "the request that was given is unchanged")
			tt.webhook.Credential = sim.NewCredential()
			r, err := tt.webhook.Sign(unsigned)
			require.NoError(t, err)
			require.NotEqual(t, string(unsigned.Body), string(r.Body))
		})
	}
	_, err := simulator.Webhook{Simulator: sim, URL: "://"}.Sign(unsigned)
	require.Error(t, err)
}

func TestSetMIME(t *testing.T) {
	for text, want := range map[string]string{
		"A: 1\n\nx\n": "A: 1\r\n\r\nx\r\n", "A: 1\r\n\r\nx\r\n": "A: 1\r\n\r\nx\r\n", "A: 1\r\n\nx": "A: 1\r\n\r\nx", "": "",
	} {
		p := simulator.NewParams()
		p.SetMIME([]byte(text))
		require.Empty(t, cmp.Diff(want, string(p.MIME)), "%q", text)
	}
}
