package simulator

import (
	"context"
	"fmt"

	"github.com/goanymail/anymail"
)

// Parse passes a request to the parser of an adapter's endpoint. There is no
// Dispatcher and no authentication. Parse returns the normalized events.
func Parse(adapter anymail.Adapter, r Request) ([]anymail.Event, error) {
	for _, ep := range adapter.Endpoints() {
		if ep.Path != r.Endpoint {
			continue
		}
		events, err := ep.Parser.ParseEvents(context.Background(), r.Payload(adapter.ESP()))
		for _, ev := range events {
			anymail.Normalize(ev, adapter.ESP())
		}
		return events, err
	}
	return nil, fmt.Errorf("simulator: the adapter has no endpoint %q", r.Endpoint)
}
