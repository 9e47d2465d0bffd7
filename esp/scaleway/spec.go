package scaleway

import (
	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/esp"
)

// Spec describes Scaleway: its settings, and how it waits and retries.
func Spec() esp.Spec {
	return esp.Spec{
		Name:      ESP,
		Title:     "Scaleway",
		Signature: "SNS certificate",
		Settings: []esp.Setting{
			{Name: "topic_arns", Kind: esp.KindList, Help: "topics to accept messages from"},
			{Name: "roots", Kind: esp.KindList, Help: "Scaleway's CA certificates in PEM, which signing certificates must chain to"},
		},
		New: func(v esp.Values) (anymail.Adapter, error) {
			return New(Config{TopicARNs: v.List("topic_arns"), Roots: v.List("roots"), Client: v.Client, Logger: v.Logger})
		},
		Retries: "Scaleway does not document when it retries. It calls an event failed after several retries.",
	}
}
