package mailtoken

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/verify"
)

// Use is what a token is for. A token of one use is worthless for another.
type Use string

// The uses of tokens.
const (
	UseReturnPath  Use = "return-path"
	UseMessageID   Use = "message-id"
	UseUnsubscribe Use = "unsubscribe"
)

// Why a token is refused. Each comes wrapped in [anymail.ErrUnauthenticated].
var (
	// ErrForm: the text is not a token.
	ErrForm = errors.New("not a token")
	// ErrForged: no key has made the token for this use.
	ErrForged = errors.New("no key made this token for this use")
	// ErrExpired: the token is genuine but too old.
	ErrExpired = errors.New("the token has expired")
)

const (
	// DefaultLifetime is how long a token in an envelope sender or a Message-ID is
	// valid. Servers try for days, and complaints come for weeks.
	DefaultLifetime = 90 * 24 * time.Hour
	// MaxID is the length of the longest id, in bytes.
	MaxID = 64
	// MaxRecipient is the length of the longest recipient, in bytes (RFC 5321,
	// erratum 1690).
	MaxRecipient = 254
	// MinKey is the length of the shortest key, in bytes.
	MinKey = 16

	macSize    = 12
	digestSize = 4
	headSize   = 3 // the first byte and the day
	maxToken   = (headSize+1+MaxID+MaxRecipient+macSize)*8/5 + 1
	minToken   = ((headSize+1+macSize)*8 + 4) / 5
)

// Config is what [New] needs.
type Config struct {
	// Keys are secrets of at least [MinKey] bytes. The first makes tokens, and all
	// check them: to rotate, put a new key in front, and remove the old one when the
	// last token that it made has expired. Shorter keys check nothing.
	Keys anymail.KeySource
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Tokens makes and checks tokens. Its methods may be called concurrently.
type Tokens struct {
	keys anymail.KeySource
	now  func() time.Time
}

// New returns [anymail.ErrConfig] if there is no key, or if one is too short.
func New(config Config) (*Tokens, error) {
	const setting = "mailtoken.Config.Keys"
	if config.Keys == nil {
		return nil, anymail.Misconfigured(setting, "must have a key")
	}
	if err := verify.CheckKeys(config.Keys, setting, checkKey); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Tokens{config.Keys, config.Now}, nil
}

func checkKey(key string) error {
	if len(key) < MinKey {
		return errors.New("must have at least 16 bytes")
	}
	return nil
}

// Message is the message that a token is made for.
type Message struct {
	// ID is what the sender calls the message: an id of its database, or the one that
	// the ESP's send API returns, of 1 to [MaxID] bytes without spaces and control
	// characters. What comes back bears it as its MessageID.
	ID string
	// Recipient is the address that the message goes to. A message to several needs
	// a token for each, or one without a recipient: see package inbound/report for
	// what that proves.
	Recipient string
	// Expires is when the token stops being valid, rounded up to a day. The zero
	// value is [DefaultLifetime] from now, and never for an unsubscription.
	Expires time.Time
}

// Claims is what a token says.
type Claims struct {
	ID string
	// Recipient is set if the token has the whole address.
	Recipient string
	// Bound reports whether the token is for one recipient: see IsFor.
	Bound bool
	// Expires is the first moment at which the token is not valid, zero for never.
	Expires time.Time
	// Key is the index of the key that made the token, to follow a rotation.
	Key int

	isFor func(address string) bool
}

// IsFor reports whether the token is bound to an address. Case does not count.
func (c *Claims) IsFor(address string) bool { return c.isFor != nil && c.isFor(address) }

// Check returns what a token says. It returns [anymail.ErrUnauthenticated], which wraps
// one of the errors of this package, if the token is not valid for the use, and
// [anymail.ErrUnavailable] if there are no keys now.
func (t *Tokens) Check(ctx context.Context, use Use, token string) (Claims, error) {
	parts, ok := parse(token)
	if !ok {
		return Claims{}, refused(ErrForm)
	}
	keys, err := t.keys.Keys(ctx)
	if err != nil {
		return Claims{}, anymail.Because(anymail.ErrUnavailable, "token keys", err)
	}
	for i, key := range keys {
		if len(key) < MinKey || !hmac.Equal(parts.mac, mac(key, use, parts.signed)) {
			continue
		}
		c := Claims{ID: parts.id, Recipient: parts.recipient, Expires: parts.expires, Key: i}
		if !c.Expires.IsZero() && !t.now().Before(c.Expires) {
			return Claims{}, refused(ErrExpired)
		}
		switch parts.how {
		case recipientDigest:
			c.Bound = true
			c.isFor = func(address string) bool {
				return hmac.Equal(parts.digest, digest(key, use, parts.day, parts.id, address))
			}
		case recipientWhole:
			c.Bound = true
			c.isFor = func(address string) bool { return strings.EqualFold(address, parts.recipient) }
		}
		return c, nil
	}
	return Claims{}, refused(ErrForged)
}

func refused(why error) error {
	return anymail.Because(anymail.ErrUnauthenticated, "token is not valid", why)
}

// make returns a token. The recipient is given whole in that of an unsubscription.
func (t *Tokens) make(ctx context.Context, use Use, m Message) (string, error) {
	if err := m.check(); err != nil {
		return "", err
	}
	keys, err := t.keys.Keys(ctx)
	if err != nil {
		return "", anymail.Because(anymail.ErrUnavailable, "token keys", err)
	}
	if len(keys) == 0 || len(keys[0]) < MinKey {
		return "", anymail.Because(anymail.ErrUnavailable, "token keys", errors.New("the first key is missing or too short"))
	}
	if m.Expires.IsZero() && use != UseUnsubscribe {
		m.Expires = t.now().Add(DefaultLifetime)
	}
	day, err := dayOf(m.Expires)
	if err != nil {
		return "", err
	}
	form, id := shorten(m.ID)
	how := recipientDigest
	switch {
	case m.Recipient == "":
		how = recipientNone
	case use == UseUnsubscribe:
		how = recipientWhole
	}
	b := []byte{version<<6 | byte(how)<<4 | byte(form)<<2}
	b = binary.BigEndian.AppendUint16(b, day)
	switch how {
	case recipientDigest:
		b = append(b, digest(keys[0], use, day, m.ID, m.Recipient)...)
	case recipientWhole:
		b = append(b, byte(len(id))) //nolint:gosec // it is at most MaxID
	}
	b = append(b, id...)
	if how == recipientWhole {
		b = append(b, m.Recipient...)
	}
	return encoding.EncodeToString(append(b, mac(keys[0], use, b)...)), nil
}

func (m *Message) check() error {
	switch {
	case m.ID == "" || len(m.ID) > MaxID || !isPrintable(m.ID):
		return anymail.Misconfigured("mailtoken.Message.ID", "must have 1 to %d bytes, without spaces and control characters", MaxID)
	case len(m.Recipient) > MaxRecipient || !isPrintable(m.Recipient):
		return anymail.Misconfigured("mailtoken.Message.Recipient", "must have at most %d bytes, without spaces and control characters", MaxRecipient)
	}
	return nil
}

// The texts keep a MAC, a digest and other uses of the same key apart.
const (
	macDomain    = "anymail mailtoken 1\x00"
	digestDomain = "anymail mailtoken 1 recipient\x00"
)

// mac authenticates a token for a use.
func mac(key string, use Use, signed []byte) []byte {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write([]byte(macDomain + string(use) + "\x00"))
	_, _ = h.Write(signed)
	return h.Sum(nil)[:macSize]
}

// digest stands for a recipient. It is keyed, so that nobody can look for an address
// with the same one, and differs between messages.
func digest(key string, use Use, day uint16, id, recipient string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write([]byte(digestDomain + string(use) + "\x00" + id + "\x00"))
	_, _ = h.Write(binary.BigEndian.AppendUint16(nil, day))
	_, _ = h.Write([]byte(strings.ToLower(recipient)))
	return h.Sum(nil)[:digestSize]
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

var encoding = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)
