package inbound_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/anymailtest"
	"github.com/goanymail/anymail/inbound"
	"github.com/goanymail/anymail/wire"
)

func TestParse(t *testing.T) {
	type mail struct {
		Subject string `json:"subject"`
		Text    string `json:"text"`
	}
	type received struct {
		ID   wire.Text         `json:"id"`
		Mail wire.Object[mail] `json:"mail"`
	}
	tests := []struct {
		name, body string
		want       anymail.InboundEvent
	}{
		{"whole", `{"id":"1","mail":{"subject":"Hi","text":"Ho"}}`, anymail.InboundEvent{
			Common:  anymail.Common{Type: anymail.EventInbound, ID: "1"},
			Message: anymail.InboundMessage{Subject: "Hi", Text: "Ho"},
		}},
		{"one member does not decode", `{"id":"2","mail":{"subject":["Hi"],"text":"Ho"}}`, anymail.InboundEvent{
			Common:  anymail.Common{Type: anymail.EventInboundFailed, ID: "2"},
			Message: anymail.InboundMessage{Text: "Ho"},
		}},
		{"no message", `{"id":"3","mail":[]}`, anymail.InboundEvent{
			Common: anymail.Common{Type: anymail.EventInboundFailed, ID: "3"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events, err := inbound.Parse(&anymail.Payload{Body: []byte(tt.body)}, func(w *received, ev *anymail.InboundEvent) {
				ev.ID = string(w.ID)
				ev.Message.Subject, ev.Message.Text = w.Mail.Value.Subject, w.Mail.Value.Text
			})
			require.NoError(t, err)
			tt.want.Raw = anymail.Raw(tt.body)
			if diff := cmp.Diff([]anymail.Event{&tt.want}, events, anymailtest.EventOptions()...); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}

	_, err := inbound.Parse(&anymail.Payload{Body: []byte(`[1]`)}, func(*received, *anymail.InboundEvent) {})
	require.ErrorIs(t, err, anymail.ErrMalformed)
}
