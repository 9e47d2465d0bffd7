package web

import (
	"context"
	"fmt"
	"sync"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/cmd/anymail/internal/inspect"
	"github.com/goanymail/anymail/simulator"
)

// signer signs requests as their ESPs do.
type signer struct {
	options Options

	mu   sync.Mutex
	keys map[string]simulator.Credential // that were made, by ESP
	used map[string]key                  // by ESP and endpoint
}

// key is what signs the requests to an endpoint.
type key struct {
	credential simulator.Credential
	err        error // the listener has none that anyone would accept
}

// sign signs a request of an ESP to r.URL, with the key that the listener has. If it
// has none, sign uses a new one and returns an error, so that the request looks like a
// signed one but proves nothing.
func (s *signer) sign(e ESP, r *simulator.Request) error {
	if e.Simulator == nil {
		return fmt.Errorf("%s: has no simulator that could sign", e.Spec.Title)
	}
	if !e.Simulator.Signs(r.Endpoint) {
		return nil
	}
	k := s.key(e, r.Endpoint)
	if err := e.Simulator.SignNow(r, k.credential); err != nil {
		return err
	}
	return k.err
}

func (s *signer) key(e ESP, endpoint string) key {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := e.Spec.Name + "/" + endpoint
	if k, ok := s.used[name]; ok {
		return k
	}
	k := s.find(e, endpoint)
	if s.used == nil {
		s.used = map[string]key{}
	}
	s.used[name] = k
	return k
}

// find finds the key of an endpoint: the one that was given for signing, or the one
// that verifies, if the ESP signs with the same.
func (s *signer) find(e ESP, endpoint string) key {
	if text := s.options.SignKeys[e.Spec.Name]; text != "" {
		credential, err := e.Simulator.Credential(text)
		return key{credential, err}
	}
	for _, setting := range inspect.KeySettings(e.Spec, e.Simulator, endpoint) {
		for _, value := range s.options.Settings[e.Spec.Name][setting] {
			if credential, err := e.Simulator.Credential(value); err == nil {
				return key{credential: credential}
			}
		}
	}
	made, ok := s.keys[e.Spec.Name]
	if !ok {
		made = e.Simulator.NewCredential()
		if s.keys == nil {
			s.keys = map[string]simulator.Credential{}
		}
		s.keys[e.Spec.Name] = made
	}
	return key{made, fmt.Errorf("the listener has no key to sign with: give it by --sign-key %s=@FILE", e.Spec.Name)}
}

// vouching is an adapter that also accepts requests for which the listener vouches, and
// that accepts what the user sends again as often as it comes.
type vouching struct{ anymail.Adapter }

func (v vouching) Endpoints() []anymail.Endpoint {
	endpoints := v.Adapter.Endpoints()
	for i := range endpoints {
		verifier := endpoints[i].Verifier
		if verifier == nil {
			continue
		}
		endpoints[i].Verifier = anymail.VerifierFunc(func(ctx context.Context, p *anymail.Payload) (anymail.Proof, error) {
			from, ok := ctx.Value(originKey{}).(*origin)
			if ok && from.vouched {
				return anymail.Proof{}, nil
			}
			proof, err := verifier.Verify(ctx, p)
			if ok {
				proof.Fingerprint = nil // by which the Dispatcher knows replays
			}
			return proof, err
		})
	}
	return endpoints
}
