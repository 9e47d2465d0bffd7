package sns_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/internal/trace"
	"github.com/goanymail/anymail/verify/sns"
)

// traced verifies p and returns the steps and the result.
func traced(t *testing.T, v anymail.Verifier, p *anymail.Payload) ([]trace.Step, error) {
	t.Helper()
	var steps []trace.Step
	ctx := trace.With(t.Context(), func(s trace.Step) { steps = append(steps, s) })
	proof, err := v.Verify(ctx, p)
	plain, plainErr := v.Verify(t.Context(), p)
	require.Equal(t, plainErr, err, "the trace changes no result")
	require.Empty(t, cmp.Diff(plain, proof))
	return steps, err
}

func TestTrace(t *testing.T) {
	a := newAuthority()
	v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: serving(a.leaf("sns.amazonaws.com")).client()})
	m := notification()
	a.sign(m, "2")
	p := posted(t, m)
	p.ReceivedAt = testTime
	steps, err := traced(t, v, p)
	require.NoError(t, err)
	require.Len(t, steps, 1)
	require.True(t, steps[0].Attempts[0].Valid)
	require.Equal(t, m.Time(), steps[0].SignedAt)
	require.Contains(t, string(steps[0].Content[0]), "MessageId\n"+m.MessageID)
	signed := steps[0].Attempts[0].Signed

	m.Message += "!"
	p = posted(t, m)
	p.ReceivedAt = testTime
	steps, err = traced(t, v, p)
	require.EqualError(t, err, mismatch)
	require.Equal(t, err, steps[0].Err)
	require.Equal(t, signed, steps[0].Attempts[0].Signed, "what the topic's owner signed")
	offered := steps[0].Offered
	require.NotEqual(t, signed, steps[0].Attempts[0].Digest)

	// Without the certificate there is nothing to compare with.
	v = sns.New(sns.Options{TopicARNs: []string{topic}, Client: serving(nil).client()})
	steps, err = traced(t, v, p)
	require.Error(t, err)
	require.Equal(t, err, steps[0].Err)
	require.Equal(t, offered, steps[0].Offered)
	require.Contains(t, string(steps[0].Content[0]), "MessageId\n"+m.MessageID)
	require.Equal(t, m.Time(), steps[0].SignedAt)
	require.Empty(t, steps[0].Attempts)
}

// Only the trace holds computed values: errors reach logs, with or without a
// trace.
func TestErrorsHoldNothingComputed(t *testing.T) {
	a := newAuthority()
	v := sns.New(sns.Options{TopicARNs: []string{topic}, Client: serving(a.leaf("sns.amazonaws.com")).client()})
	m := notification()
	a.sign(m, "2")
	m.Message += "!"
	steps, err := traced(t, v, posted(t, m))
	require.EqualError(t, err, mismatch)
	asJSON, jsonErr := json.Marshal(err)
	require.NoError(t, jsonErr)
	text := strings.ToLower(fmt.Sprintf("%v %+v %#v %s", err, err, err, asJSON))
	for e := err; e != nil; e = errors.Unwrap(e) {
		text += strings.ToLower(fmt.Sprintf("%#v", e))
	}
	require.Len(t, steps, 1)
	require.Len(t, steps[0].Attempts, 1)
	values := append(append([][]byte(nil), steps[0].Offered...), steps[0].Content...)
	values = append(values, steps[0].Attempts[0].Digest, steps[0].Attempts[0].Signed)
	for _, v := range values {
		require.NotEmpty(t, v)
		for _, form := range []string{string(v), hex.EncodeToString(v), base64.StdEncoding.EncodeToString(v), fmt.Sprint(v), fmt.Sprintf("%#v", v)} {
			require.NotContains(t, text, strings.ToLower(form))
		}
	}
}
