package web_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/esp/all/allsim"
)

const listenPage = "../../../../docs/listen.md"

// documented returns the code blocks of the page in a language.
func documented(t *testing.T, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(listenPage)
	require.NoError(t, err)
	for _, found := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, found[1])
	}
	require.NotEmpty(t, blocks)
	return blocks
}

// The commands of the page do what it says.
func TestDocumentedCommands(t *testing.T) {
	tests := []struct {
		language, program string
		arguments         []string
		want              []string // of the output, for each block
	}{
		{"sh", "curl", []string{"sh", "-eu", "-c"}, []string{`"recipient":"grace@example.net"`, `"event_type":"bounced"`, `{"imported":1}`}},
		{"python", "python3", []string{"python3", "-c"}, []string{""}},
	}
	for _, tt := range tests {
		blocks := documented(t, tt.language)
		require.Len(t, blocks, len(tt.want))
		if _, err := exec.LookPath(tt.program); err != nil {
			t.Logf("there is no %s", tt.program)
			continue
		}
		b := start(t)
		require.Equal(t, 200, b.post(t, "mailgun", "delivered", nil))
		require.Equal(t, 200, b.post(t, "mailgun", "delivered", edit("ada@example.com", "grace@example.net")))
		for i, block := range blocks {
			t.Run(fmt.Sprint(tt.language, " ", i+1), func(t *testing.T) {
				code := strings.ReplaceAll(block, "http://127.0.0.1:8025", b.url)
				cmd := exec.Command(tt.arguments[0], append(tt.arguments[1:], code)...)
				cmd.Dir = t.TempDir()
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s\n%s", code, out)
				require.Contains(t, string(out), tt.want[i])
			})
		}
	}
}

// The page names all endpoints of the API, and the ESPs that sign with a private key.
func TestDocumentedNames(t *testing.T) {
	text, err := os.ReadFile(listenPage)
	require.NoError(t, err)
	routes, err := os.ReadFile("server.go")
	require.NoError(t, err)
	found := regexp.MustCompile(`r\.(Get|Post|Put|Delete)\("(/api/[^"]+)"`).FindAllStringSubmatch(string(routes), -1)
	require.Greater(t, len(found), 20)
	for _, route := range found {
		path := route[2]
		for _, prefix := range []string{"/api/requests/{id}/events/{n}", "/api/requests/{id}"} {
			if rest, ok := strings.CutPrefix(path, prefix); ok && rest != "" && !strings.Contains(string(text), path) {
				path = rest
				break
			}
		}
		require.Contains(t, string(text), path)
	}
	var private []string
	for _, sim := range allsim.List() {
		if sim.NewCredential == nil {
			continue
		}
		if _, err := sim.Credential(sim.NewCredential().Config); err != nil {
			private = append(private, sim.Title)
		}
	}
	last := len(private) - 1
	sentence := strings.Join(private[:last], ", ") + " and " + private[last] + " sign with a private key"
	require.Contains(t, strings.Join(strings.Fields(string(text)), " "), sentence)
}
