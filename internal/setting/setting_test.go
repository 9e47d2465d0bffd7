package setting_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail/internal/setting"
)

func TestCheckText(t *testing.T) {
	for _, text := range []string{"a", "a b", "pässword", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "null"} {
		require.NoError(t, setting.CheckText(text), "%q", text)
	}
	for text, want := range map[string]string{
		"":  "must not be empty",
		" ": "must not have white space around it", "s3cret\n": "must not have white space around it",
		"\ts3cret": "must not have white space around it", "\u00a0s3cret": "must not have white space around it",
		"s3c\nret": "must not have control", "s3c\x00ret": "must not have control", "s3c\u200bret": "must not have control",
		"\ufeffs3cret": "must not have control", "s3c\xffret": "must not have control",
	} {
		err := setting.CheckText(text)
		require.ErrorContains(t, err, want, "%q", text)
		require.NotContains(t, err.Error(), "s3c")
	}
}

func TestCheckSecret(t *testing.T) {
	for _, text := range []string{"", " ", "a\n", "null", "~", "<nil>", "<no value>", "None", "undefined"} {
		require.Error(t, setting.CheckSecret(text), "%q", text)
	}
	for _, text := range []string{"nullable", "key-1", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"} {
		require.NoError(t, setting.CheckSecret(text), "%q", text)
	}
}
