package inbound_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/inbound"
)

// TestMails reads the mails that the module shares. What each has to become
// stands beside it.
func TestMails(t *testing.T) {
	files, err := filepath.Glob("../testdata/mail/*.eml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".eml"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			form, err := os.ReadFile(strings.TrimSuffix(file, ".eml") + ".json")
			require.NoError(t, err)
			var want anymail.InboundMessage
			require.NoError(t, json.Unmarshal(form, &want))
			got := inbound.FromMIME(raw, anymail.Limits{})
			require.Equal(t, raw, []byte(got.RawMIME))
			ignored := cmpopts.IgnoreFields(anymail.InboundMessage{}, "Headers", "RawMIME")
			if diff := cmp.Diff(want, got, ignored, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}
