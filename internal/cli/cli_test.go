package cli_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/cli"
)

func TestExitCode(t *testing.T) {
	for want, err := range map[int]error{
		0:  nil,
		1:  errors.New("failed"),
		2:  fmt.Errorf("serve: %w", cli.Usagef("no such file")),
		75: fmt.Errorf("relay: %w", cli.StatusError{Status: 75, Err: cli.ErrReported}),
	} {
		if got := cli.ExitCode(err); got != want {
			t.Errorf("%v: exit status %d, want %d", err, got, want)
		}
	}
	cause := errors.New("cause")
	if !errors.Is(cli.UsageError{Err: cause}, cause) {
		t.Error("a usage error hides its cause")
	}
}

func TestPrintable(t *testing.T) {
	if got := cli.Printable("Grüße\x1b[2J\n\u202e"); got != "Grüße\uFFFD[2J\uFFFD\uFFFD" {
		t.Errorf("got %q", got)
	}
}

func TestNewSecret(t *testing.T) {
	secret := cli.NewSecret()
	if _, err := anymail.New(anymail.WithSharedSecret(secret)); err != nil {
		t.Error(err)
	}
	user, password, _ := strings.Cut(secret, ":")
	if got := url.UserPassword(user, password).String(); got != secret {
		t.Errorf("escaped in a URL: %s", got)
	}
	if secret == cli.NewSecret() {
		t.Error("two secrets are equal")
	}
}
