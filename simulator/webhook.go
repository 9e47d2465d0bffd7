package simulator

import "cmp"

// Webhook is a webhook as a user registers it at an ESP: where the ESP posts to,
// and what it authenticates with.
type Webhook struct {
	Simulator *Simulator
	// URL is the one under which the Dispatcher is mounted, for example
	// "https://hooks.example.com/anymail".
	URL string
	// Name is the one under which the adapter is registered. If empty, it is the
	// ESP's.
	Name string
	// Secret is the shared secret, a "user:password". If empty, requests have
	// none.
	Secret string
	// Credential signs requests. Its zero value signs nothing.
	Credential Credential
}

// Address returns r with its URL and with the shared secret.
func (w Webhook) Address(r Request) (Request, error) {
	var err error
	if r.URL, err = EndpointURL(w.URL, cmp.Or(w.Name, w.Simulator.ESP), r.Endpoint); err != nil {
		return r, err
	}
	r.Header = r.Header.Clone()
	if w.Secret != "" {
		SetSecret(&r, w.Secret)
	}
	return r, nil
}

// Sign does what Address does, and signs the request now if the ESP signs it.
func (w Webhook) Sign(r Request) (Request, error) {
	r, err := w.Address(r)
	if err == nil && !w.Credential.isZero() {
		err = w.Simulator.SignNow(&r, w.Credential)
	}
	return r, err
}
