//go:build ignore

// Command mutations takes each protection out, one at a time, and looks whether
// the test that docs/securing.md names for it fails:
//
//	go run internal/mutations/main.go          # all, some ten minutes
//	go run internal/mutations/main.go Replay   # those whose test or file matches
//	go run internal/mutations/main.go -applies # only looks whether they still fit the sources
//
// The sources stay as they are: the compiler is given other ones by an overlay.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

type mutation struct {
	pkg   string   // of the test
	test  string   // that has to fail
	file  string   // that is changed
	edits []string // what is replaced by what, in pairs; each stands there once
	race  bool     // the test needs the race detector
	// module is set where the protection is a dependency's: file is in there.
	module string
}

var mutations = []mutation{
	// https and where a request comes from
	{test: "TestAnswers", file: "guard.go", edits: []string{`if !o.https && g.settings.requireTLS {`, `if false {`}},
	{test: "TestForwarded", file: "guard.go", edits: []string{`if !g.isTrusted(o.addr) {`, `if false {`}},
	{test: "TestForwarded", file: "guard.go", edits: []string{`return http.Header{name: rest}`, `_ = rest; return h`}},
	{test: "TestForwarded", file: "guard.go", edits: []string{`value := values[len(values)-1]`, `value := values[0]`}},
	{test: "TestPublicURL", file: "guard.go", edits: []string{`if !g.isTrusted(o.addr) {`, `if true {`}},
	{test: "TestForwardedHeader", file: "guard.go", edits: []string{`if !g.isTrusted(o.addr) {`, `if false {`}},
	{test: "TestForwardedHeader", file: "forwarded.go", edits: []string{`if !g.isTrusted(element.client) {`, `if o.addr = element.client; false {`}},
	{test: "TestForwardedHeader", file: "forwarded.go", edits: []string{`case list[i] == '"' && (!quoted || !isEscaped(list, i)):`, `case list[i] == '"':`}},
	{test: "TestForwardedHeader", file: "forwarded.go", edits: []string{`for i := len(list) - 1; i >= 0; i-- {`, `for i := 0; i < len(list); i++ {`}},
	{test: "TestForwardedHeaders", file: "forwarded.go", edits: []string{`return slices.Contains(g.settings.forwardedHeaders, header)`, `return true`}},
	{test: "TestForwardedHeaders", file: "options.go", edits: []string{`if named("Forwarded") && `, `if false && `}},
	{test: "TestForwardedHeaders", file: "guard.go", edits: []string{`strings.HasPrefix(prefix, "/") && `, ``}},
	{test: "TestAllowedAddresses", file: "guard.go", edits: []string{`if !contains(prefixes, o.addr) {`, `if !contains(prefixes, o.addr) && false {`}},
	{test: "TestAllowedAddresses", file: "guard.go", edits: []string{`o.addr = peer.Addr().Unmap().WithZone("")`, `o.addr = peer.Addr()`}},
	{test: "TestAllowedAddresses", file: "options.go", edits: []string{`if !p.IsValid() || p.Addr().Is4In6() {`, `if false {`}},
	{test: "TestUnixSocket", file: "guard.go", edits: []string{`return o // a Unix socket`, `o.addr, o.https = netip.IPv6Loopback(), true; return o // a Unix socket`}},
	// configured values
	{pkg: "esp", test: "TestAdapterRefuses", file: "esp/values.go", edits: []string{`return setting.CheckSecret(value)`, `return setting.CheckText(value)`}},
	{pkg: "esp", test: "TestAdapterRefuses", file: "internal/setting/setting.go", edits: []string{`case text == "":`, `case false:`}},
	{pkg: "cmd/anymail-gateway/internal/gateway", test: "TestEverySettingNeedsAValue", file: "cmd/anymail-gateway/internal/gateway/decode.go", edits: []string{"case \"!!null\":\n\t\treturn \"\", errors.New", "case \"!!null\":\n\t\treturn node.Value, nil\n\t\treturn \"\", errors.New"}},
	{pkg: "cmd/anymail-gateway/internal/gateway", test: "TestEveryKeyNeedsAValue", file: "cmd/anymail-gateway/internal/gateway/decode.go", edits: []string{`case len(node.Content) == 0 && !mayBeEmpty:`, `case false:`}},
	{pkg: "cmd/anymail-gateway/internal/gateway", test: "TestVariablesInTheFile", file: "cmd/anymail-gateway/internal/gateway/expand.go", edits: []string{`node.Value, node.Tag, node.Style = text, "!!str", yaml.DoubleQuotedStyle`, `node.Value, node.Tag = text, ""`}},
	{pkg: "cmd/anymail-gateway/internal/gateway", test: "TestWrongVariables", file: "cmd/anymail-gateway/internal/gateway/expand.go", edits: []string{`if len(value) > shownValue {`, `if false {`}},
	{pkg: "cmd/anymail-gateway/internal/gateway", test: "TestDatabasesAreForTheOwner", file: "cmd/anymail-gateway/internal/gateway/store.go", edits: []string{`os.O_RDWR|os.O_CREATE, 0o600`, `os.O_RDWR|os.O_CREATE, 0o644`}},
	{pkg: "cmd/anymail-gateway/internal/gateway", test: "TestAttachmentsAsFiles", file: "cmd/anymail-gateway/internal/gateway/content.go", edits: []string{`os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600`, `os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644`}},
	{pkg: "cmd/anymail-gateway/internal/gateway", test: "TestAttachmentsAsFiles", file: "cmd/anymail-gateway/internal/gateway/content.go", edits: []string{`id := hex.EncodeToString(hash[:16])`, `id := hex.EncodeToString(hash[:0]) + base.Key`}},
	{pkg: "esp", test: "TestPublishedAddresses", file: "esp/resend/addresses.go", edits: []string{`2600:1f24:64:8000::/52`, `2600:1f24:64::/40`}},

	// mail that is relayed
	{pkg: "esp/mailomat", test: "TestSignature", file: "esp/mailomat/mailomat.go", edits: []string{`wire.StringMember(p.Body, "eventType") != p.Header.Get(eventHeader)`, `false && wire.StringMember(nil, "") == ""`}},
	{pkg: "esp/mailomat", test: "TestSignature", file: "esp/mailomat/mailomat.go", edits: []string{`verify.Prefixed("sha256=", verify.Hex)`, `func(text string) ([]byte, error) { return verify.Hex(text[strings.IndexByte(text, '=')+1:]) }`, `	"slices"`, `	"slices"
	"strings"`}},
	{pkg: "verify", test: "TestMessageSignature", file: "verify/messagesignature.go", edits: []string{`	if err := checkDigest(sum, p.Body); err != nil {
		return nil, err
	}`, ``}},
	{pkg: "verify/sns", test: "TestRoots", file: "verify/sns/certificates.go", edits: []string{`			Roots:         c.roots,
			Intermediates: between,
			CurrentTime:   now,
			KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		}); err != nil {`, `			Roots:         c.roots,
			Intermediates: between,
			CurrentTime:   now,
			KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		}); false && err != nil {`}},
	{pkg: "esp/scaleway", test: "TestConfig", file: "esp/scaleway/scaleway.go", edits: []string{`if len(config.TopicARNs) > 0 && len(config.Roots) == 0 {`, `if false {`}},
	{pkg: "esp/mailomat", test: "TestTwoEventsInASecond", file: "esp/mailomat/mailomat.go", edits: []string{`slices.Concat(content...)`, `slices.Concat(content[:5]...)`}},
	{pkg: "esp/zeptomail", test: "TestSignature", file: "esp/zeptomail/zeptomail.go", edits: []string{`fields["s-algorithm"] != "HmacSHA256"`, `false`}},
	{test: "TestProbeEcho", file: "request.go", edits: []string{`ep.ProbeEcho != "" && len(value) <= maxEcho`, `ep.ProbeEcho != ""`}},
	{test: "TestProbeEcho", file: "request.go", edits: []string{`http.Header{"X-Content-Type-Options": {"nosniff"}}`, `http.Header{}`}},
	{pkg: "esp/relay", test: "TestSignature", file: "esp/relay/relay.go", edits: []string{`strings.Join(header.Values(name), ", ")`, `strings.Clone(header.Get(name))`}},
	{pkg: "esp/relay", test: "TestSignature", file: "esp/relay/relay.go", edits: []string{`[]string{HeaderTimestamp, HeaderFrom, HeaderTo}`, `[]string{HeaderTimestamp, HeaderFrom}`}},
	{pkg: "esp/relay", test: "TestSignedEnvelope", file: "esp/relay/inbound.go", edits: []string{`if p.Proof.Fingerprint == nil {`, `if true {`}},
	{pkg: "esp/relay", test: "TestEnvelopeOfTheSender", file: "esp/relay/inbound.go", edits: []string{`server := inbound.ServerHeaders(m.Headers)`, `server := m.Headers`}},
	// reports that arrive as mail
	{pkg: "inbound/report", test: "TestReader", file: "inbound/report/reader.go", edits: []string{`if ev.Verified != anymail.VerifiedNone || r.options.Unverified {`, `if true {`}},
	{pkg: "inbound/report", test: "TestReader", file: "inbound/report/reader.go", edits: []string{`if claims.IsFor(address) {`, `if true {`}},
	{pkg: "inbound/report", test: "TestReader", file: "inbound/report/reader.go", edits: []string{`case r.options.SentTo == nil || lookups == maxLookups:`, `case r.options.SentTo == nil: case lookups == maxLookups:`}},
	{pkg: "inbound/report", test: "TestReader", file: "inbound/report/reader.go", edits: []string{`if !sent {`, `if sent && false {`}},
	{pkg: "inbound/report", test: "TestReader", file: "inbound/report/reader.go", edits: []string{`return list
	}
	add(mailtoken.UseReturnPath, mailtoken.InAddress(m.EnvelopeRecipient))`, `}
	add(mailtoken.UseReturnPath, mailtoken.InAddress(m.EnvelopeRecipient))`}},
	{pkg: "inbound/report", test: "TestReader", file: "inbound/report/reader.go", edits: []string{` || m.Authentication.DMARC != "pass"`, ``}},
	{pkg: "inbound/report", test: "TestReader", file: "inbound/report/reader.go", edits: []string{`len(m.From) != 1 || len(m.Headers.Values("From")) > 1`, `len(m.From) == 0`}},
	{pkg: "inbound/report", test: "TestReader", file: "inbound/report/reader.go", edits: []string{`if r.options.OwnRequests && (`, `if (`}},
	{pkg: "inbound/report", test: "TestReader", file: "inbound/report/reader.go", edits: []string{`if r.options.OwnRequests && (read.Unsubscribe != nil || read.AutoReply != nil) {`, `if r.options.OwnRequests {`}},
	{pkg: "inbound/report", test: "TestReaderSeveralRecipients", file: "inbound/report/reader.go", edits: []string{`named := []string{reported}`, `return reported; named := []string{reported}`}},
	{pkg: "inbound/report", test: "TestReaderAsksSeldom", file: "inbound/report/reader.go", edits: []string{` || lookups == maxLookups:`, `:`}},
	{pkg: "mailtoken", test: "TestRefused", file: "mailtoken/mailtoken.go", edits: []string{`if !c.Expires.IsZero() && !t.now().Before(c.Expires) {`, `if false {`}},
	{pkg: "mailtoken", test: "TestRefused", file: "mailtoken/mailtoken.go", edits: []string{`macDomain + string(use) + "\x00"`, `macDomain`}},
	{pkg: "mailtoken", test: "TestEveryByteIsSigned", file: "mailtoken/form.go", edits: []string{` || encoding.EncodeToString(b) != token`, ``}},
	{pkg: "mailtoken", test: "TestVectors", file: "mailtoken/mailtoken.go", edits: []string{`return hmac.Equal(parts.digest, digest(key, use, parts.day, parts.id, address))`, `return true`}},
	{pkg: "mailtoken", test: "TestWeakKeys", file: "mailtoken/mailtoken.go", edits: []string{`if len(key) < MinKey || !hmac`, `if !hmac`}},
	{test: "TestReportsVerified", file: "inbound/report/reader.go", edits: []string{`if ev.Verified != anymail.VerifiedNone || r.options.Unverified {`, `if true {`}},
	{test: "TestShouldSuppress", file: "events.go", edits: []string{`if e.Verified == VerifiedNone {`, `if false {`}},
	{pkg: "suppress", test: "TestDefaultPolicy", file: "suppress/policy.go", edits: []string{`case ev.Verified == anymail.VerifiedNone:`, `case false:`}},
	{pkg: "oneclick", test: "TestWrongTokens", file: "oneclick/oneclick.go", edits: []string{`mailtoken.UseUnsubscribe`, `mailtoken.UseMessageID`}},
	{pkg: "oneclick", test: "TestGet", file: "oneclick/oneclick.go", edits: []string{`Probes:       []string{http.MethodGet},`, ``}},
	{pkg: "oneclick", test: "TestRateLimit", file: "response.go", edits: []string{`if kind == ErrUnauthenticated && !challenged || `, `if `}},
	{pkg: "oneclick", test: "TestWrongRequests", file: "oneclick/oneclick.go", edits: []string{`if !strings.EqualFold(form.Fields.Get(field), value) {`, `if form == nil {`}},
	{pkg: "cmd/anymail/command", test: "TestRelayAnswers", file: "cmd/anymail/command/relay.go", edits: []string{`return http.ErrUseLastResponse // a redirected`, `return nil // a redirected`}},
	{pkg: "cmd/anymail/command", test: "TestRelayAnswers", file: "cmd/anymail/command/relay.go", edits: []string{`	exTempFail = 75`, `	exTempFail = 69`}},
	{pkg: "cmd/anymail/command", test: "TestRelayMisconfigured", file: "cmd/anymail/command/relay.go", edits: []string{`case u.User != nil:`, `case false:`}},
	{pkg: "cmd/anymail/command", test: "TestRelayMisconfigured", file: "cmd/anymail/command/relay.go", edits: []string{`case u.Scheme == "http" && !o.allowHTTP`, `case false && !o.allowHTTP`}},
	{pkg: "cmd/anymail/command", test: "TestRelayMisconfigured", file: "cmd/anymail/command/relay.go", edits: []string{`	if !ok {
		return "", misconfigured`, `	if !ok && false {
		return "", misconfigured`}},

	// the page of listen
	{pkg: "cmd/anymail/internal/web", test: "TestProtection", file: "cmd/anymail/internal/web/server.go", edits: []string{`ip == nil && host != "localhost"`, `ip == nil && false`}},
	{pkg: "cmd/anymail/internal/web", test: "TestProtection", file: "cmd/anymail/internal/web/server.go", edits: []string{`r.Header.Get("X-Anymail") != "1"`, `false`}},
	{pkg: "cmd/anymail/internal/web", test: "TestProtection", file: "cmd/anymail/internal/web/server.go", edits: []string{`len(r.Header[name]) > 0`, `len(r.Header[name]) > 99`}},
	{pkg: "cmd/anymail/internal/web", test: "TestAPI", file: "cmd/anymail/internal/web/requests.go", edits: []string{`"sandbox; default-src 'none'; style-src`, `"style-src`}},
	{pkg: "cmd/anymail/internal/web", test: "TestReports", file: "cmd/anymail/internal/web/explain.go", edits: []string{`key := &comparison.Keys[i]; !comparison.Secret`, `key := &comparison.Keys[i]; false`}},
	{pkg: "cmd/anymail/internal/web", test: "TestSecretsStayHidden", file: "cmd/anymail/internal/web/record.go", edits: []string{`slices.ContainsFunc(r.Secret, same)`, `slices.ContainsFunc(r.Removed, same)`}},
	{pkg: "cmd/anymail/internal/web", test: "TestSecretsStayHidden", file: "cmd/anymail/internal/web/record.go", edits: []string{`[]string{"authorization", `, `[]string{`}},
	{pkg: "cmd/anymail/internal/web", test: "TestStoreFiles", file: "cmd/anymail/internal/web/journal.go", edits: []string{`return j.file.Chmod(0o600)`, `return nil`}},

	// shared secret
	{test: "TestRegisterRefuses", file: "anymail.go", edits: []string{`case e.Verifier == nil && s.secrets == nil && !s.insecure:`, `case false:`}},
	{test: "TestOptionsRefuseEmptyLists", file: "options.go", edits: []string{`s.fail("WithSharedSecret", "must have a secret")`, `s.secrets = nil; return`}},
	{test: "TestOptionsRefuseEmptyLists", file: "options.go", edits: []string{`s.fail("WithAllowedAddresses", "must have an address")`, `s.allowed = nil; return`}},
	{test: "TestRegisterRefuses", file: "options.go", edits: []string{"if err := checkSecret(secret); err != nil {\n\t\t\t\ts.fail(\"WithSharedSecret[\"", "if err := checkSecret(secret); false {\n\t\t\t\ts.fail(\"WithSharedSecret[\""}},
	{test: "TestRotationWhileServing", file: "secrets.go", edits: []string{`if checkSecret(secret) == nil {`, `if true {`}},
	{test: "TestRotationWhileServing", file: "internal/keycache/keycache.go", edits: []string{`slices.Equal(last.keys, keys)`, `len(keys) > 0`}},
	{test: "TestRotationUnderLoad", file: "secrets.go", race: true, edits: []string{`keys = slices.Clone(keys)`, `if old := r.keys.Load(); old != nil { keys = append((*old)[:0], keys...) } else { keys = append([]string(nil), keys...) }`}},
	{test: "TestSharedSecretHeader", file: "guard.go", edits: []string{`if len(header) != 1 {`, `if false {`}},
	{test: "TestSharedSecretHeader", file: "guard.go", edits: []string{`if secret = g.secrets.match(header[0], secrets); secret < 0 {`, `if secret = g.secrets.match(header[0], secrets); false {`}},
	{test: "TestSharedSecretHeader", file: "secrets.go", edits: []string{`if err != nil || !strings.EqualFold`, `if err != nil && false || !strings.EqualFold`}},
	{test: "TestSharedSecretHeader", file: "secrets.go", edits: []string{` || !strings.EqualFold(scheme, "basic") {`, ` || scheme == "" && false {`}},
	{test: "TestPaths", file: "guard.go", edits: []string{`return -1, errNoSecret`, `return 0, nil`}},
	{test: "TestAnswers", file: "guard.go", edits: []string{"secret < 0 {\n\t\treturn -1, errWrongSecret", "secret < 0 {\n\t\treturn -1, Unauthenticated(Reason(\"not \" + secrets[0]))"}},
	{test: "TestAnswers", file: "response.go", edits: []string{`rejection.Received.Header, rejection.Received.Removed = withoutSecrets(r.Header, ep.SecretHeaders)`, `rejection.Received.Header = r.Header`}},
	{test: "TestRejectionReceived", file: "hooks.go", edits: []string{`strings.EqualFold(s, name)`, `s == name`}},
	{test: "TestRejectionReceived", file: "hooks.go", edits: []string{`|| namesSecret(name) {`, `{`}},
	{pkg: "refused", test: "TestURL", file: "refused/format.go", edits: []string{`return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()`, `return u.String()`}},
	{pkg: "refused", test: "TestModes", file: "refused/refused.go", edits: []string{`os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600`, `os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644`}},
	{pkg: "refused", test: "TestModes", file: "refused/refused.go", edits: []string{`os.MkdirAll(path, 0o700)`, `os.MkdirAll(path, 0o755)`}},
	{pkg: "refused", test: "TestOpenRefuses", file: "refused/refused.go", edits: []string{`info.Mode().Perm()&0o077 != 0`, `false`}},
	{pkg: "refused", test: "TestBounds", file: "refused/refused.go", edits: []string{`total > d.options.Bytes`, `false`}},
	{pkg: "refused", test: "TestBounds", file: "refused/refused.go", edits: []string{`len(files) >= d.options.Files`, `false`}},
	{test: "TestRejectionsLookTheSame", file: "response.go", edits: []string{`http.Error(w, http.StatusText(status), status)`, `http.Error(w, string(reason), status)`}},
	{test: "TestRejectionsLookTheSame", file: "response.go", edits: []string{"case ErrUnauthenticated, ErrReplayed:\n\t\treturn rejectStatus", "case ErrUnauthenticated, ErrReplayed:\n\t\treturn 400"}},

	{test: "TestRequestShapes", file: "request.go", edits: []string{`if len(r.Header.Values("Content-Type")) > 1 {`, `if false {`}},
	{test: "TestRequestShapes", file: "body.go", edits: []string{`strings.Join(r.Header.Values("Content-Encoding"), ",")`, `r.Header.Get("Content-Encoding")`}},
	{test: "TestErrorsDoNotQuoteForms", file: "form.go", edits: []string{`return nil, Malformed("multipart form", nil)`, `return nil, Malformed("multipart form", fmt.Errorf("%s", body))`}},
	{pkg: "wire", test: "TestErrorsDoNotQuote", file: "internal/jsonscan/decode.go", edits: []string{`return fmt.Errorf("a JSON %s is not a %v", semantic.JSONKind, semantic.GoType)`, `return err`}},
	{pkg: "wire", test: "TestErrorsDoNotQuote", file: "internal/jsonscan/decode.go", edits: []string{`return errors.New("a JSON string is not a time")`, `return err`}},

	// signatures
	{test: "TestAnswers", file: "request.go", edits: []string{`if p.Proof, err = ep.Verifier.Verify(ctx, p); err != nil {`, `if p.Proof, err = ep.Verifier.Verify(ctx, p); false {`}},
	{pkg: "verify", test: "TestHMACVectors", file: "verify/hmac.go", edits: []string{`if hmac.Equal(sum, mac) {`, `if hmac.Equal(sum, mac) || len(mac) > 0 {`}},
	{pkg: "verify", test: "TestPublicKeyVectors", file: "verify/publickey.go", edits: []string{`return ecdsa.VerifyASN1(public, c.sum(k.hash), signature)`, `return true`}},
	{pkg: "verify", test: "TestPublicKeyVectors", file: "verify/publickey.go", edits: []string{`rsa.VerifyPKCS1v15(public, k.hash, c.sum(k.hash), signature) == nil`, `true`}},
	{pkg: "verify", test: "TestStandardWebhooksVectors", file: "verify/hmac.go", edits: []string{`if hmac.Equal(sum, mac) {`, `if !hmac.Equal(sum, mac) {`}},
	{pkg: "verify", test: "TestStandardWebhooks", file: "verify/hmac.go", edits: []string{`if hmac.Equal(sum, mac) {`, `if hmac.Equal(sum, mac) || true {`}},
	{pkg: "verify", test: "TestHMAC", file: "verify/hmac.go", edits: []string{"if len(secret) == 0 {\n\t\treturn nil,", "if false {\n\t\treturn nil,"}},
	{pkg: "verify", test: "TestKeyedDigest", file: "verify/keyeddigest.go", edits: []string{`if subtle.ConstantTimeCompare(sum, given) == 1 {`, `if subtle.ConstantTimeCompare(sum, given) <= 1 {`}},
	{pkg: "verify", test: "TestLayout", file: "verify/layout.go", edits: []string{`case len(signatures) > s.most:`, `case false:`}},
	{pkg: "verify", test: "TestTokenCheck", file: "verify/token.go", edits: []string{`return errToken // err may hold the token`, `return err`}},
	{pkg: "verify", test: "TestHeader", file: "verify/layout.go", edits: []string{`case len(values) > 1:`, `case false:`}},
	{pkg: "verify", test: "TestSignatures", file: "verify/layout.go", edits: []string{`if strings.ContainsAny(text, "\r\n") {`, `if false {`}},
	{pkg: "verify/sns", test: "TestVerifyRefuses", file: "verify/sns/verifier.go", edits: []string{`if rsa.VerifyPKCS1v15(key, hash, digest, signature) != nil {`, `if rsa.VerifyPKCS1v15(key, hash, digest, signature) != nil && false {`}},
	{pkg: "fetch", test: "TestAllowed", file: "fetch/fetch.go", edits: []string{`if host == allowed || (`, `if true || (`}},
	{pkg: "fetch", test: "TestRedirect", file: "fetch/fetch.go", edits: []string{`return g.Allowed(next.URL.String())`, `return nil`}},

	// replay, accounts, double processing
	{test: "TestAnswers", file: "request.go", edits: []string{`p.ReceivedAt.Sub(at).Abs() > ep.window {`, `false {`}},
	{test: "TestAccounts", file: "request.go", edits: []string{`if proof.Fingerprint == nil || ep.settings.noReplayCheck {`, `if true {`}},
	{test: "TestAccounts", file: "signals.go", edits: []string{"case ClaimDone:\n\t\t\t\tt.Duplicates++\n\t\t\t\tcontinue", "case ClaimDone:"}},
	{test: "TestAccounts", file: "anymail.go", edits: []string{`		settings: s,`, `		settings: d.settings,`}},
	{test: "TestAccountKeys", file: "request.go", edits: []string{`if ep.settings.accountKeys {`, `if false {`}},
	{test: "TestRandomTenantNames", file: "tenants.go", edits: []string{`!t.misses.Peek(client, now)`, `false`}},
	{test: "TestRandomTenantNames", file: "tenants.go", edits: []string{"t.unknown.Set(name, now.Add(t.unknownLifetime))\n\t\tt.known.Delete(name)", "t.known.Set(name, tenant{nil, now.Add(t.unknownLifetime)})"}},
	{test: "TestTenants", file: "tenants.go", edits: []string{`t.unknown.Set(name, now.Add(t.unknownLifetime))`, `_ = name`}},
	{test: "TestTenants", file: "tenants.go", edits: []string{`len(name) > maxTenantName || `, ``}},
	{test: "TestTenantLookupsAreBounded", file: "tenants.go", edits: []string{`if !t.lookups.add() {`, `if t.lookups.add(); false {`}},
	{test: "TestTenantLookupsAreShared", file: "tenants.go", edits: []string{`if t.running[name] != call {`, `if false {`}},
	{test: "TestTenantLookupTime", file: "tenants.go", edits: []string{`ctx, cancel := context.WithTimeout(ctx, t.timeout) // the resolver may ignore its own`, `ctx, cancel := context.WithCancel(ctx)`}},
	{test: "TestTenantMemoryIsBounded", file: "tenants.go", edits: []string{`bounded.New[string, time.Time](positiveOr(cache.Unknown, 20_000))`, `bounded.New[string, time.Time](1 << 30)`}},
	{test: "TestFailingReceivers", file: "request.go", edits: []string{`completed := false // if anything`, `completed := true // if anything`}},
	{test: "TestFailingReceivers", file: "signals.go", edits: []string{`c.name, keys[i], err == nil); noted != nil {`, `c.name, keys[i], true); noted != nil {`}},
	{test: "TestConcurrentDuplicates", file: "idempotency.go", edits: []string{`if _, ok := sh.running[id]; ok {`, `if false {`}},
	{pkg: "sqlstore", test: "TestConcurrentDuplicatesRunEachReceiverOnce", file: "sqlstore/store.go", edits: []string{`case holder == owner:`, `case holder == owner || !done:`}},
	{pkg: "sqlstore", test: "TestAKilledProcessRunsAReceiverOnceMoreAtMost", file: "sqlstore/store.go", edits: []string{"default:\n\t\t\tclaims[key] = anymail.ClaimBusy", "default:\n\t\t\tclaims[key] = anymail.ClaimDone"}},
	{test: "TestMemoryStoreIsBounded", file: "internal/bounded/map.go", edits: []string{`if len(m.recent) >= m.half {`, `if false {`}},

	// rates
	{test: "TestRateLimits", file: "guard.go", edits: []string{`case addr.IsValid() && s.perAddress != nil && !s.perAddress.Allow(addr, now):`, `case false:`}},
	{test: "TestRateLimits", file: "guard.go", edits: []string{`case g.perEndpoint != nil && !g.perEndpoint.Allow(netip.Addr{}, now):`, `case false:`}},
	{test: "TestRateLimits", file: "guard.go", edits: []string{`case addr.IsValid() && s.failures != nil && !s.failures.Peek(addr, now):`, `case false:`}},
	{test: "TestExpectedRefusalsDoNotLockOut", file: "response.go", edits: []string{` && !challenged ||`, ` ||`}},
	{test: "TestExpectedRefusalsDoNotLockOut", file: "response.go", edits: []string{`if kind == ErrUnauthenticated && !challenged`, `if errors.Is(err, ErrUnauthenticated) && !challenged`}},
	{pkg: "internal/ratelimit", test: "TestMillionAddresses", file: "internal/bounded/map.go", edits: []string{`if len(m.recent) >= m.half {`, `if false {`}},
	{pkg: "internal/ratelimit", test: "TestClockJumps", file: "internal/ratelimit/ratelimit.go", edits: []string{`due = latest // the clock`, `// the clock`}},
	{test: "TestStoreFailsInTheMiddleOfABatch", file: "signals.go", edits: []string{"t.errs = append(t.errs, noted)\n\t\t\t\treturn", "t.errs = append(t.errs, noted)\n\t\t\t\ti--"}},
	{pkg: "internal/ratelimit", test: "TestIPv6NetworksCountAsOne", file: "internal/ratelimit/ratelimit.go", edits: []string{`Prefix(64)`, `Prefix(128)`}},
	{pkg: "internal/ratelimit", test: "TestExtremes", file: "internal/ratelimit/ratelimit.go", edits: []string{`const forever = 1 << 60`, `const forever = 1e300`, `time.Duration(min(interval*`, `time.Duration(int64(interval)) * time.Duration(int64(1*`, `-1), forever)),`, `-1))),`}},

	// bounds
	{test: "TestBodySize", file: "body.go", edits: []string{`case int64(len(buf)) > most:`, `case false:`}},
	{test: "TestBodySize", file: "body.go", edits: []string{`http.MaxBytesReader(w, r.Body, limits.Body)`, `r.Body`, `case int64(len(buf)) > most:`, `case false:`}},
	{test: "TestRejectionOfDecodedMessage", file: "request.go", edits: []string{`!ep.settings.hooks.wantRejections()`, `true`}},
	{pkg: "esp/all", test: "TestInPlace", file: "inbound/base64.go", edits: []string{`p.DecodesInPlace(len(quoted)) && beginsMessage(jsonscan.UnquoteBytes(quoted[:longName])):`, `true:`}},
	{test: "TestBodySize", file: "body.go", edits: []string{`if r.ContentLength > limits.Body {`, `if false {`}},
	{test: "TestSlowBodies", file: "request.go", edits: []string{`		v.progress(0)
`, ``}},
	{test: "TestSlowBodiesMakeRoom", file: "intake.go", edits: []string{`in.clients[v.client] >= in.clientPlaces()`, `false`}},
	{test: "TestSlowBodiesMakeRoom", file: "intake.go", edits: []string{`v.ep.arriving >= in.endpointPlaces()`, `false`}},
	{test: "TestSlowBodiesMakeRoom", file: "internal/ratelimit/ratelimit.go", edits: []string{`Prefix(64)`, `Prefix(128)`}},
	{test: "TestMaxReading", file: "intake.go", edits: []string{`len(in.arriving) >= in.places`, `false`}},
	{test: "TestMaxReading", file: "body.go", edits: []string{`if !v.proved {`, `if true {`}},
	{test: "TestPlacesWithoutDeadlines", file: "intake.go", edits: []string{"if v.control.SetReadDeadline(time.Unix(1, 0)) != nil {\n\t\treturn false", "if v.control.SetReadDeadline(time.Unix(1, 0)) != nil {\n\t\treturn true"}},
	{test: "TestBodyRate", file: "intake.go", edits: []string{`min(earned, limits.BodyTime)`, `max(earned, limits.BodyTime)`}},
	{test: "TestBodyRate", file: "intake.go", edits: []string{`min(earned, limits.BodyTime)`, `earned`}},
	{test: "TestSlowBodiesAreFailures", file: "response.go", edits: []string{` || errors.Is(err, errSlowBody) {`, ` {`}},
	{test: "TestShutdownWaitsForBodies", file: "request.go", edits: []string{`present.Add(1)`, `present.Add(0)`, `present.Add(-1)`, `present.Add(0)`}},
	{test: "TestContestedMemory", file: "intake.go", edits: []string{`			in.dropContested(now)
`, `			_ = now
`}},
	{test: "TestContestedMemory", file: "intake.go", edits: []string{`v.ep.bytes+v.want > in.endpointBytes() {`, `false {`}},
	{test: "TestOrderOfMemory", file: "intake.go", edits: []string{`in.waiting = slices.Insert(in.waiting, 0, v)`, `in.waiting = append(in.waiting, v)`}},
	{test: "TestOrderOfMemory", file: "intake.go", edits: []string{`memoryWait = 15 * time.Second`, `memoryWait = 15 * time.Hour`}},
	{test: "TestOrderOfMemory", file: "intake.go", edits: []string{`if in.used+v.want > in.memory {`, `if false {`}},
	{test: "TestMemoryForUnknownLengths", file: "body.go", edits: []string{"\t\t\tsize = most\n", ``}},
	{test: "TestPayloadCountsMemory", file: "intake.go", edits: []string{`if in.used+bodyCost*size > in.memory {`, `if false {`}},
	{test: "TestPayloadCountsMemory", file: "intake.go", edits: []string{"v.settleMemory(0)\n", "\n"}},
	{test: "TestMemoryLimitLowersTheDefault", file: "intake.go", edits: []string{`min(DefaultMaxMemory, debug.SetMemoryLimit(-1)/2)`, `min(DefaultMaxMemory, debug.SetMemoryLimit(-1)+1<<40)`}},
	{test: "TestHTTP2", file: "request.go", edits: []string{`		v.progress(0)
`, ``}},
	{test: "TestInFlightPerAdapter", file: "intake.go", edits: []string{`case !v.ep.working.add():`, `case v.ep.working.add() && false:`}},
	{test: "TestRequestTime", file: "request.go", edits: []string{`context.WithTimeout(context.WithoutCancel(ctx), ep.limits.RequestTime)`, `context.WithCancel(context.WithoutCancel(ctx))`}},
	{test: "TestRequestTime", file: "signals.go", edits: []string{"err := ctx.Err()\n\t\tif err != nil {", "err := ctx.Err()\n\t\tif false {"}},
	{test: "TestRegisterRefuses", file: "anymail.go", edits: []string{`case e.TestOnly && s.requireTLS:`, `case false:`}},
	{test: "TestRegisterWarnsOfTestOnly", file: "anymail.go", edits: []string{`if e.TestOnly {`, `if false {`}},
	{pkg: "esp/amazonses", test: "TestTestCertificates", file: "esp/amazonses/amazonses.go", edits: []string{`len(a.config.InsecureTestCertificates) > 0,`, `false,`}},
	{pkg: "esp/amazonses", test: "TestTestCertificates", file: "esp/amazonses/amazonses.go", edits: []string{`> MaxTestValidity {`, `> MaxTestValidity && false {`}},
	{pkg: "esp/amazonses", test: "TestTestCertificates", file: "esp/amazonses/amazonses.go", edits: []string{`err == nil && config.Roots != nil {`, `false {`}},
	{pkg: "verify/sns", test: "TestTestCertificates", file: "verify/sns/verifier.go", edits: []string{`|| !from.IsLoopback() && !from.IsPrivate() `, `|| !from.IsLoopback() && !from.IsPrivate() && false `}},
	{pkg: "verify/sns", test: "TestTestCertificates", file: "verify/sns/verifier.go", edits: []string{`|| now.Before(cert.NotBefore) || now.After(cert.NotAfter) {`, `{`}},
	{pkg: "verify/sns", test: "TestParseMemory", file: "verify/sns/message.go", edits: []string{`jsontext.AllowDuplicateNames(true)`, `jsontext.AllowDuplicateNames(false)`}},
	{pkg: "verify/sns", test: "TestParseMemory", file: "verify/sns/message.go", edits: []string{` || len(seen) == maxMembers {`, ` {`}},
	{test: "TestBusyBatch", file: "signals.go", edits: []string{`if granted[keys[i]] {`, `if slices.Contains(keys[:i], keys[i]) {`, `granted := grantedKeys(claims, keys)`, ``}},
	{test: "TestHooksEnd", file: "hooks.go", edits: []string{`defer func() { end(err) }()`, `defer func() { if err != errGoexit { end(err) } }()`}},
	{test: "TestJSONBounds", file: "wire/batch.go", edits: []string{`if most := limits.OrDefaults().BatchEvents; events > most {`, `if most := limits.OrDefaults().BatchEvents; events > 1<<40 {`}},
	{test: "TestJSONBounds", file: "jsontext/state.go", module: "github.com/go-json-experiment/json", edits: []string{`const maxNestingDepth = 10000`, `const maxNestingDepth = 1 << 40`}},
	{test: "TestFormBounds", file: "form.go", edits: []string{`if bytes.Count(body, []byte{'&'}) >= limits.FormFields {`, `if false {`}},
	{test: "TestFormBounds", file: "form.go", edits: []string{`case n >= limits.FormFields:`, `case false:`}},
	{test: "TestMIMEBounds", file: "inbound/rawmime/multipart.go", edits: []string{`if p.parts == 0 {`, `if false {`}},
	{test: "TestMIMEBounds", file: "inbound/rawmime/multipart.go", edits: []string{` && len(p.boundaries) < p.maxDepth {`, ` {`}},
	{test: "TestMIMEBounds", file: "inbound/rawmime/message.go", edits: []string{`syntax.NewFieldList(limits.MIMEHeaders)`, `syntax.NewFieldList(1 << 30)`}},
	{pkg: "inbound", test: "TestOpenTNEFIsBounded", file: "inbound/tnef.go", edits: []string{`files = files[:min(len(files), left)]`, ``}},
	{pkg: "inbound", test: "TestSafeFilename", file: "inbound/attachment.go", edits: []string{"s = s[strings.LastIndexAny(s, `/\\`)+1:]", ``}},
	{test: "TestPanickingAdapter", file: "errors.go", edits: []string{`if v := recover(); v != nil {`, `if v := any(nil); v != nil {`}},
	{test: "TestFailingReceivers", file: "errors.go", edits: []string{`if v := recover(); v != nil {`, `if v := any(nil); v != nil {`}},
	{pkg: "verify/sns", test: "TestForgedMessagesStarveNoOtherESP", file: "verify/sns/certificates.go", edits: []string{`, waiting: make(chan struct{}, maxWaiting)}`, `}`}},
	{test: "TestNormalizeCleansText", file: "normalize.go", edits: []string{`		cleanMessage(&ev.Message)
`, ``}},
	{test: "TestNormalizeCleansText", file: "normalize.go", edits: []string{`		cleanTracking(ev)
`, ``}},
	{test: "TestPublishedTestKey", file: "request.go", edits: []string{`ep.guard.failed(v.from.addr)`, ``}},
	{test: "TestClientGone", file: "request.go", edits: []string{`context.WithTimeout(context.WithoutCancel(ctx), ep.limits.RequestTime)`, `context.WithTimeout(ctx, ep.limits.RequestTime)`}},
	{test: "TestNoClaimOutlivesDelivery", file: "signals.go", edits: []string{`for ; i < len(claims); i++ {`, `for ; false; i++ {`}},
	{test: "TestPanickingHooks", file: "hooks.go", edits: []string{`if v := recover(); v != nil {`, `if v := any(nil); v != nil {`}},
	{test: "TestStatusOfErrorsFromUserCode", file: "errors.go", edits: []string{`if slices.Contains(kinds, err) {`, `for _, kind := range kinds { if errors.Is(err, kind) { return "", kind } }; if slices.Contains(kinds, err) {`}},

	// costs
	{test: "TestRefusedBodiesAreNotRead", file: "request.go", edits: []string{`secret, err := ep.guard.check(ctx, r, v.from)`, `_, _ = v.readBody(w, r); secret, err := ep.guard.check(ctx, r, v.from)`}},
	{test: "TestRefusalsAllocateLess", file: "secrets.go", edits: []string{`if len(header) > maxAuthorization {`, `if false {`}},
	{pkg: "esp/all", test: "TestForgeriesAllocateLess", file: "request.go", edits: []string{"if p.Proof, err = ep.Verifier.Verify(ctx, p); err != nil {\n\t\treturn replay{}, err", "if p.Proof, err = ep.Verifier.Verify(ctx, p); err != nil {\n\t\tfor range 20 { _, _ = ep.Parser.ParseEvents(ctx, p) }\n\t\treturn replay{}, err"}},

	// server
	{pkg: "server", test: "TestSlowHeaders", file: "server/server.go", edits: []string{`ReadHeaderTimeout: 10 * time.Second,`, ``, `ReadTimeout:       60 * time.Second,`, ``}},
	{pkg: "server", test: "TestSlowHeaders", file: "server/server.go", edits: []string{`IdleTimeout:       2 * time.Minute,`, `IdleTimeout: 1000 * time.Hour,`}},
	{pkg: "server", test: "TestSlowBody", file: "server/server.go", edits: []string{`ReadTimeout:       60 * time.Second,`, ``}},
	{pkg: "server", test: "TestSettings", file: "server/server.go", edits: []string{`WriteTimeout:      90 * time.Second,`, ``}},
	{pkg: "server", test: "TestLargeHeaders", file: "server/server.go", edits: []string{`MaxHeaderBytes:    16 << 10,`, ``}},
	{pkg: "server", test: "TestTLSVersions", file: "server/server.go", edits: []string{`tls.VersionTLS12`, `tls.VersionTLS10`}},
	{pkg: "server", test: "TestReloadCertificate", file: "server/certificate.go", edits: []string{`_ = c.reload() // the earlier one stays`, ``}},
}

func main() {
	if slices.Equal(os.Args[1:], []string{"-applies"}) {
		complaints := unproved()
		for _, m := range mutations {
			if m.module != "" {
				continue
			}
			if _, err := m.mutate(m.file); err != nil {
				complaints = append(complaints, m.test+" "+m.file+": "+err.Error())
			}
		}
		for _, complaint := range complaints {
			fmt.Println(complaint)
		}
		os.Exit(min(len(complaints), 1))
	}
	filter := regexp.MustCompile(strings.Join(os.Args[1:], "|"))
	dir, err := os.MkdirTemp("", "mutations")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer os.RemoveAll(dir)
	var chosen []mutation
	for _, m := range mutations {
		if filter.MatchString(m.test + " " + m.file) {
			chosen = append(chosen, m)
		}
	}
	failed := 0
	for _, complaint := range append(unmutated(chosen), unproved()...) {
		fmt.Println(complaint)
		failed++
	}
	for i, m := range chosen {
		verdict := "caught"
		if err := m.try(dir); err != nil {
			verdict = err.Error()
			failed++
		}
		fmt.Printf("%3d/%d %-46s %-28s %.50q: %s\n", i+1, len(chosen), m.test, m.file, m.edits[0], verdict)
	}
	fmt.Printf("%d mutations, %d complaints\n", len(chosen), failed)
	if failed > 0 {
		os.RemoveAll(dir)
		os.Exit(1)
	}
}

// unmutated runs the tests on the sources as they are.
func unmutated(chosen []mutation) (complaints []string) {
	tests := map[string][]string{}
	for _, m := range chosen {
		if !slices.Contains(tests[m.pkg], m.test) {
			tests[m.pkg] = append(tests[m.pkg], m.test)
		}
	}
	for pkg, names := range tests {
		if out, err := goTest(nil, pkg, strings.Join(names, "|")); err != nil {
			complaints = append(complaints, fmt.Sprintf("%s without any mutation: %v\n%s", pkg, err, out))
		}
	}
	return complaints
}

// unproved looks for tests in the table of threats that no mutation is for.
func unproved() (complaints []string) {
	page, err := os.ReadFile("docs/securing.md")
	if err != nil {
		return []string{err.Error()}
	}
	_, table, _ := bytes.Cut(page, []byte("\n## Threats\n"))
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(table), -1) {
		if !slices.ContainsFunc(mutations, func(m mutation) bool { return m.test == name }) {
			complaints = append(complaints, "docs/securing.md: no mutation for "+name)
		}
	}
	return complaints
}

func goTest(env []string, pkg, test string, args ...string) (string, error) {
	args = append([]string{"test", "-count=1", "-timeout=3m", "-run", "^(" + test + ")$"}, args...)
	cmd := exec.Command("go", append(args, "./"+pkg)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// try returns nil if the test fails on the changed sources.
func (m mutation) try(dir string) error {
	var env, args []string
	var err error
	if m.module != "" {
		env = []string{"GOWORK=off"}
		args, err = m.replaceModule(dir)
	} else {
		args, err = m.overlay(dir)
	}
	if err != nil {
		return err
	}
	if m.race {
		args = append(args, "-race")
	}
	out, err := goTest(env, m.pkg, m.test, args...)
	switch {
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"), strings.Contains(out, "no tests to run"):
		return fmt.Errorf("DOES NOT BUILD\n%s", out)
	case err == nil:
		return errors.New("SURVIVED")
	case !strings.Contains(out, "--- FAIL: "+m.test) && !strings.Contains(out, "panic: "):
		return fmt.Errorf("FAILED OTHERWISE\n%s", out)
	}
	return nil
}

// mutate returns the changed text of a file.
func (m mutation) mutate(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(m.edits); i += 2 {
		if n := bytes.Count(text, []byte(m.edits[i])); n != 1 {
			return nil, fmt.Errorf("DOES NOT APPLY: %q stands there %d times", m.edits[i], n)
		}
		text = bytes.Replace(text, []byte(m.edits[i]), []byte(m.edits[i+1]), 1)
	}
	return text, nil
}

func (m mutation) overlay(dir string) (args []string, err error) {
	original, err := filepath.Abs(m.file)
	if err != nil {
		return nil, err
	}
	text, err := m.mutate(original)
	if err != nil {
		return nil, err
	}
	changed, config := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return nil, err
	}
	return []string{"-overlay", config}, errors.Join(os.WriteFile(changed, text, 0o600), os.WriteFile(config, list, 0o600))
}

// replaceModule makes a copy of a dependency to be changed, since an overlay
// may not touch the module cache.
func (m mutation) replaceModule(dir string) (args []string, err error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", m.module).Output()
	if err != nil {
		return nil, err
	}
	source, dependency := strings.TrimSpace(string(out)), filepath.Join(dir, "dependency")
	text, err := m.mutate(filepath.Join(source, m.file))
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dependency, os.DirFS(source)); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(dependency, m.file)); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dependency, m.file), text, 0o600); err != nil {
		return nil, err
	}
	modfile := filepath.Join(dir, "go.mod")
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	if err := exec.Command("go", "mod", "edit", "-replace="+m.module+"="+dependency, modfile).Run(); err != nil {
		return nil, err
	}
	return []string{"-modfile", modfile}, nil
}
