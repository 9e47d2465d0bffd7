package all_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An adapter whose ESP parses received mail, or receives none, does not link a
// MIME parser.
func TestDependencies(t *testing.T) {
	const module = "github.com/goanymail/anymail/"
	for _, name := range []string{"brevo", "mailjet", "postmark", "unisendergo"} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+"esp/"+name).Output()
		require.NoError(t, err, name)
		packages := strings.Fields(string(out))
		require.Contains(t, packages, module+"esp/"+name)
		require.NotContains(t, packages, module+"inbound/rawmime", name)
	}
}
