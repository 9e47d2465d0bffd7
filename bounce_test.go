package anymail_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/wire"
)

// explained is the bounce that an ESP reports for no better reason than that,
// as a hard one, after Normalize.
func explained(answer string) *anymail.TrackingEvent {
	ev := &anymail.TrackingEvent{
		Common:       anymail.Common{Type: anymail.EventBounced},
		RejectReason: anymail.RejectBounced,
		Bounce:       anymail.Bounce{Category: anymail.BounceHard},
	}
	wire.Answer(ev, answer)
	anymail.Normalize(ev, "acme")
	return ev
}

// What receiving servers say, and which codes and meaning that has.
func TestExplainedAnswers(t *testing.T) {
	for _, tt := range []struct {
		answer   string
		reason   anymail.RejectReason
		category anymail.BounceCategory
		code     int
		enhanced string
	}{
		{"550 5.7.1 No such user!", "invalid", "hard", 550, "5.7.1"},
		{"550 5.7.1 <ada@example.com>: Recipient address rejected: User unknown", "invalid", "hard", 550, "5.7.1"},
		{"550 5.7.1 <ada@example.com>: Recipient address rejected: Account disabled", "bounced", "hard", 550, "5.7.1"},
		{"550 5.5.0 Requested action not taken: mailbox unavailable", "invalid", "hard", 550, "5.5.0"},
		{"550 Requested action not taken: mailbox unavailable", "invalid", "hard", 550, ""},
		{"550 5.4.1 Recipient address rejected: Access denied.", "invalid", "hard", 550, "5.4.1"},
		{"554 delivery error: dd This user doesn't have a example.net account (ada@example.net) [0]", "invalid", "hard", 554, ""},
		{"550 5.2.1 <ada@example.com>... User Unknown", "invalid", "hard", 550, "5.2.1"},
		{"550 5.0.0 User unknown", "invalid", "hard", 550, "5.0.0"},
		{"550 No Such User Here", "invalid", "hard", 550, ""},
		{"500 unknown recipient", "invalid", "hard", 500, ""},
		{"host mx.example.net[192.0.2.1] said: 550 5.1.1 <ada@example.net>: gone (in reply to RCPT TO command)", "invalid", "hard", 550, "5.1.1"},
		{"Remote host said: 550 5.1.1 no mailbox here by that name", "invalid", "hard", 550, "5.1.1"},
		{"#550 5.1.1 unknown", "invalid", "hard", 550, "5.1.1"},
		{"sorry, no mailbox here by that name. (#5.1.1)", "invalid", "hard", 0, "5.1.1"},
		{"553 5.1.8 <ada@example.org>... Domain of sender address ada@example.org does not exist", "bounced", "hard", 553, "5.1.8"},
		{"550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy", "blocked", "block", 550, "5.7.26"},
		{"550 5.7.1 Service unavailable, Client host [192.0.2.7] blocked using a list", "blocked", "block", 550, "5.7.1"},
		{"552 5.2.2 Mailbox full", "bounced", "soft", 552, "5.2.2"},
	} {
		ev := explained(tt.answer)
		require.Equal(t, tt.reason, ev.RejectReason, tt.answer)
		require.Equal(t, anymail.Bounce{Category: tt.category, SMTPCode: tt.code, EnhancedCode: tt.enhanced}, ev.Bounce, tt.answer)
	}
}

// noSuchAddresses are answers of servers that know no such mailbox or domain,
// those without a code that says so first.
var noSuchAddresses = []string{
	// Postfix
	"550 5.7.1 <ada@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
	"554 <ada@example.com>: Recipient address rejected: User unknown in relay recipient table",
	"host mx.example.net[192.0.2.1] said: 550 <ada@example.net>: User unknown in local recipient table (in reply to RCPT TO command)",
	"550 5.0.0 <ada@example.com>: Recipient address rejected: undeliverable address: unknown user: \"ada\"",
	"unknown user: \"ada\"",
	"Host or domain name not found. Name service error for name=example.invalid type=MX: Host not found",
	"550 5.4.4 Host or domain name not found. Name service error for name=example.invalid type=A: Host not found",
	"556 Recipient address rejected: Domain example.com does not accept mail (nullMX)",
	"550 <ada@example.invalid>: Recipient address rejected: Domain not found",
	// Exim
	"550 Unrouteable address",
	"SMTP error from remote mail server after RCPT TO:<ada@example.com>: 550 unknown user",
	"Unrouteable mail domain \"example.invalid\"",
	"550 No such person at this address.",
	"550-Unknown local part ada in <ada@example.com>",
	"550 \"Unknown User\"",
	"550 no such address here",
	// Sendmail
	"550 5.0.0 <ada@example.com>... User unknown",
	"550 <ada@example.invalid>... Host unknown (Name server: example.invalid: host not found)",
	"550 5.5.1 ada@example.com... No such user",
	"553 5.3.0 <ada@example.com>... No such user here",
	"550 5.7.1 <ada@example.com>... User not known here",
	// qmail and vpopmail
	"Sorry, no mailbox here by that name.",
	"Remote host said: 550 sorry, no mailbox here by that name",
	"550 sorry, no mailbox here by that name. (#5.7.17)",
	"553 sorry, this recipient is not in my validrcptto list (#5.7.1)",
	"511 sorry, no mailbox here by that name (vpopmail)",
	"553 vdelivermail: invalid or unknown virtual user",
	"550 This address no longer accepts mail.",
	"550 sorry, no mail-box here by that name",
	// Exchange and Microsoft 365
	"550 5.4.1 [ada@example.com]: Recipient address rejected: Access denied. AS(201806281) [DB0.prod.example.net 2026-09-01T10:00:00.000Z]",
	"550 5.7.0 RESOLVER.ADR.RecipNotFound; not found",
	"RESOLVER.ADR.RecipientNotFound; Recipient ada@example.com not found by SMTP address lookup",
	"550 5.4.310 DNS domain example.invalid does not exist [Message=InfoDomainNonexistent] [LastAttemptedServerName=example.invalid]",
	"550 Recipient not found",
	"550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).",
	"554 5.0.0 Recipient ada@example.com does not exist",
	// Gmail
	"550-5.2.1 The email account that you tried to reach does\n550-5.2.1 not exist. Please try double-checking the recipient's email address\n550 5.2.1 for typos or unnecessary spaces. - gsmtp",
	"The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces.",
	"Address not found: your message wasn't delivered because the address couldn't be found, or is unable to receive mail.",
	// Yahoo
	"554 delivery error: dd This user doesn't have a yahoo.com account (ada@example.com) [0] - mta4001.mail.example.com",
	"552 1 Requested mail action aborted, mailbox not found",
	"554 delivery error: dd Requested mail action aborted, mailbox not found",
	"554 No such recipient ada@example.com",
	// GMX, web.de, Telekom, other German ones
	"550 Requested action not taken: mailbox unavailable For explanation visit https://postmaster.example.net/en/error-messages?ip=192.0.2.7&c=ums",
	"550 user unknown - nichts zu machen",
	"550 Empfänger unbekannt",
	"550 Benutzer ada existiert nicht",
	"550 5.7.1 Postfach nicht vorhanden",
	"550 unbekannter Empfänger",
	"550 Diese E-Mail-Adresse existiert nicht",
	"550 Die Empfängeradresse wurde nicht gefunden",
	// iCloud, Zoho, Mimecast, Proofpoint, Barracuda, Comcast, AOL
	"550 5.7.0 user does not exist",
	"554 recipient no longer on server: ada@example.com",
	"554 User does not exist - <ada@example.com>",
	"550 Invalid Recipient - https://example.com/docs/DOC-1369#550 [abcDEF123.us55]",
	"550 Invalid Recipients",
	"554 5.7.1 Invalid recipient ada@example.com (Mode: normal)",
	"550 No such user (ada@example.com)",
	"550 permanent failure for one or more recipients (ada@example.com:550 No such user)",
	"550 Not our Customer",
	"550 5.5.0 [ada@example.com]: Not our customer",
	"550 ada@example.com Is Not A Valid Mailbox",
	"550 #5.1.0 Address rejected.",
	"smtp; 550 #5.1.0 Address rejected ada@example.com",
	"550 5.1.0 <ada@example.com>: Address rejected",
	"ADDRESS_NOT_FOUND",
	// mail.ru, Yandex, QQ, NetEase
	"550 Message was not accepted -- invalid mailbox.  Local mailbox ada@example.com is unavailable: user not found",
	"550 5.7.1 No such user! abcdef",
	"550 Mailbox not found. http://example.com/cgi-bin/help?subtype=1&id=20022&no=1000728",
	"550 User not found: ada@example.com",
	"550 Invalid User: ada@example.com",
	"550 5.0.0 Mailbox unavailable",
	"550 RCPT ada@example.com: no such user",
	// other words
	"550 The user ada@example.com does not exist",
	"553 mailbox ada is unknown",
	"550 Unknown address",
	"550 address unknown",
	"550 Addressee unknown",
	"550 Account ada does not exist",
	"550 No such mail drop: mailbox does not exist",
	"550 The mailbox you are trying to reach does not exist or the mailbox isn't valid",
	"550 User 'ada' not found",
	"550 User unknown; rejecting",
	"550 Mailbox doesn't exist",
	"550 There is no one at this address",
	"550 no one with that email address here",
	"550 No account by that name here",
	"550 this is not a valid user here",
	"550 ada is not a known user",
	"550 That user is not listed in the directory",
	"550 5.7.1 unknown or illegal user: ada@example.com",
	"550 Bad destination mailbox address",
	"550 Illegal user",
	"550 Non-existent user",
	"550 mailbox ada@example.com not found",
	"550 Recipient unknown <ada@example.com>",
	"550 this email address is not known to this system",
	"550 Recipient address was not recognised",
	"550 <ada@example.com> does not exist",
	"550 User ada has been deleted",
	"550 the user is no longer with this company",
	"550 no such domain here",
	"550 Domain example.invalid does not exist",
	"550 unknown domain example.invalid",
	"550 User’s mailbox doesn’t exist",
	// languages
	"550 Utilisateur inconnu !",
	"550 Destinataire inconnu",
	"550 Adresse d'au moins un destinataire invalide. OFR_416 [416]",
	"550 Cette adresse n'existe pas",
	"550 Boîte aux lettres inexistante",
	"550 Usuario desconocido",
	"550 No existe ese usuario",
	"550 El buzón no existe",
	"550 Cuenta de correo inexistente",
	"550 destinatario no encontrado",
	"550 Utente sconosciuto",
	"550 Indirizzo inesistente",
	"550 Usuário não encontrado",
	"550 Nie ma takiego konta",
	"550 Konto nie istnieje",
	"550 Gebruiker onbekend",
	"550 Пользователь не найден",
	"550 Нет такого пользователя",
	"550 Такого пользователя не существует",
	"550 Почтовый ящик ada не существует",
	"550 用户不存在",
	"550 收件人邮箱不存在",
	"550 收件人地址不存在,请检查",
	"550 宛先のメールアドレスが見つかりません",
	"550 ユーザーが存在しません",
	"550 사용자가 존재하지 않습니다",
	"550 adresse de messagerie introuvable",
	"550 Endereço desconhecido",
	"550 L'indirizzo: utente non trovato",
	"550 nessun utente simile",
	"550 Ontvanger bestaat niet", "550 Onbekende gebruiker",
	"550 Адресат неизвестен",
	"550 Kullanıcı bulunamadı",
	"550 Uživatel neexistuje",
	"550 Okänd användare",
	"550 收件人不存在", "550 邮箱地址不存在", "550 邮件地址不存在", "550 帐号不存在", "550 账号不存在",
	"550 找不到收件人", "550 无此用户", "550 使用者不存在", "550 無此使用者", "550 信箱不存在",
	"550 ユーザーは存在しません", "550 アドレスは存在しません", "550 宛先が見つかりません",
	"550 存在しないメールアドレスです", "550 宛先不明", "550 あて先不明",
	// further words
	"550 no account is currently there for ada", "550 it was not found in LDAP", "550 ada not in name directory",
	"550 unable to find alias ada", "550 Sorry, I couldn't find any host named example.invalid.",
	"550 no known recipient by that name", "550 that is not an active address", "550 we do not handle mail for that user",
	"550 the account never existed", "550 ada is no longer our employee", "550 mailbox not available",
	"550 domain name unknown", "550 No MX record found for example.invalid", "550 the domain has a null MX",
	// with a code that says so
	"550 5.1.1 <ada@example.com>: Recipient address rejected",
	"550 5.1.10 RESOLVER.ADR.RecipientNotFound",
	"550 5.1.2 bad host",
	"550 5.1.6 recipient no longer here",
	"5.1.0 - Unknown address error 550-'5.1.1 <ada@example.com>: Recipient address rejected'",
}

// otherAnswers are like those above, and mean something else.
var otherAnswers = []string{
	// the sender
	"550 Domain of sender address ada@example.org does not exist",
	"550 5.1.0 <ada@example.org>: Sender address rejected: User unknown in virtual mailbox table",
	"553 5.7.1 <ada@example.org>: Sender address rejected: not owned by user ada",
	"550 Sender address rejected: Domain not found",
	"550 Sender verify failed",
	"550-Verification failed for <ada@example.org>\n550-No such user here\n550 Sender verify failed",
	"550 unknown sender",
	"550 Sender unknown",
	"550 5.1.0 Sender rejected: address rejected",
	"550 Invalid sender address",
	"550 sender domain does not exist",
	"501 5.1.7 Bad sender address syntax",
	"553 sorry, your envelope sender domain must exist (#5.7.1)",
	"550 <ada@example.org>: no such user (in reply to MAIL FROM command)",
	"SMTP error from remote mail server after MAIL FROM:<ada@example.org>: 550 user unknown",
	"550 The from address does not exist",
	"550 Return-Path address unknown",
	"550 No such sender: mailbox does not exist",
	"550 Absender unbekannt: Adresse existiert nicht",
	"550 expéditeur inconnu, adresse inexistante",
	"550 発信拒否 送信者アドレスが存在しません",
	"550 发件人邮箱不存在",
	"550 Адрес отправителя не существует",
	"550 Dirección de remitente desconocida",
	"550 寄件者 邮箱不存在", "550 送信元のアドレスは存在しません",
	// relays
	"550 5.7.1 Unable to relay",
	"550 relay not permitted",
	"554 5.7.1 <ada@example.com>: Relay access denied",
	"550 that recipient is unknown here, relaying denied",
	"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
	"550 5.7.1 Relaying denied. Proper authentication required.",
	// lists and reputation
	"554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org",
	"550 Mailbox unavailable. Your IP address 192.0.2.7 is blacklisted",
	"550 5.7.606 Access denied, banned sending IP [192.0.2.7]",
	"550 SC-001 Mail rejected by Outlook.com for policy reasons",
	"554 Your access to this mail system has been rejected due to the sending MTA's poor reputation",
	"550 5.7.1 Recipient not on bypass list, your IP has been found on a block list",
	"554 Transaction failed Reject due to policy restrictions.",
	"550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your Internet service provider",
	"550 Client address 192.0.2.7 unknown",
	"450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.7]",
	"550 Helo command rejected: Host not found",
	"550 IP address not found in whitelist",
	// content and authentication
	"550 5.7.1 Message rejected as spam; unknown user complained",
	"552 5.7.0 This message was blocked because its content presents a potential security issue",
	"550 SPF check failed: address not valid for domain",
	"550 5.7.1 DKIM: user does not exist in key record",
	"550 5.7.515 Access denied, sending domain EXAMPLE.ORG does not pass DMARC verification and has a DMARC policy of reject",
	"535 5.7.8 Authentication failed: unknown user",
	"530 5.7.0 Authentication required",
	"550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
	"550 unknown error",
	"550 mailbox: unknown error occurred",
	"554 5.6.0 Invalid message content",
	"500 unknown command",
	"554 5.5.2 invalid address header",
	"550 5.7.1 <ada@example.com>: Recipient address rejected: Access denied",
	"554 <ada@example.com>: Recipient address rejected: rejected for policy reasons",
	// full and large
	"552 5.2.2 The email account that you tried to reach is over quota",
	"550 Mailbox full",
	"550 user has exceeded his mailbox quota",
	"552 Requested mail action aborted: exceeded storage allocation",
	"554 delivery error: ada@example.com mailbox is full; user unknown to have read it",
	"550 Postfach voll",
	"550 邮箱已满",
	"552 5.3.4 Message size exceeds fixed limit",
	"550 message too large for mailbox",
	"550 storage limit reached, mailbox not available", "550 Boîte pleine", "550 Buzón lleno", "550 Casella piena",
	"550 Почтовый ящик переполнен", "550 空间不足", "550 メールボックスの容量を超えています", "552 more than the maximum message size",
	// time
	"550 delivery time expired", "550 retry timeout exceeded: user unknown",
	"550 too many invalid recipients", "550 rate limit exceeded for unknown users",
	"550 Greylisted, user unknown, try again later",
	"550 user unknown, try later: temporarily not available",
	"550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered; try again later",
	"554 5.4.7 Delivery expired (message too old) user unknown",
	"550 4.4.7 QUEUE.Expired; message expired",
	"connect to mx.example.net[192.0.2.1]:25: Connection timed out",
	"554 5.4.6 Hop count exceeded - possible mail loop",
	"550 mailbox temporarily disabled",
	// words of ESPs, with examples
	"The server was unable to deliver your message (ex: unknown user, mailbox not found).",
	"Unable to temporarily deliver message (i.e. mailbox full, account disabled, exceeds quota, out of disk space).",
	// others of whom servers say it
	"550 remote address unknown", "550 you are not a known user", "550 only members may post; address not listed",
	"550 The account or domain may not exist", "550 access denied for unknown user", "501 syntax error: invalid address",
	"550 mailbox unavailable (mailbox not found, no access, or command rejected)",
	"550 your domain does not exist", "550 message from unknown user rejected", "550 no valid address in the To header",
	// disabled, which is bounced
	"550 5.2.1 The email account that you tried to reach is disabled",
	"554 delivery error: dd Sorry your message to ada@example.com cannot be delivered. This account has been disabled or discontinued [#102].",
	"550 5.7.1 Account suspended",
	"550 mailbox is inactive",
	"550 This mailbox is disabled (554.30)",
	"550 inactive user", "550 user is not active", "550 Postfach deaktiviert", "550 Compte désactivé",
	// nothing in particular
	"550 rejected", "554 Transaction failed", "550 5.0.0 Mail not accepted", "",
}

func TestExplainedNoSuchAddress(t *testing.T) {
	for _, answer := range noSuchAddresses {
		for _, answer := range []string{answer, strings.ToUpper(answer), strings.ReplaceAll(answer, " ", "\r\n ")} {
			ev := explained(answer)
			require.Equal(t, anymail.RejectInvalid, ev.RejectReason, answer)
			require.Equal(t, anymail.BounceHard, ev.Bounce.Category, answer)
		}
	}
	for _, answer := range otherAnswers {
		for _, answer := range []string{answer, strings.ToUpper(answer), strings.ReplaceAll(answer, " ", "\r\n ")} {
			require.NotEqual(t, anymail.RejectInvalid, explained(answer).RejectReason, answer)
		}
	}
}

// A temporary answer makes no address invalid, whatever its words.
func TestExplainedTemporaryAnswers(t *testing.T) {
	for _, answer := range noSuchAddresses {
		ev := explained(answer)
		ev.RejectReason, ev.Bounce = anymail.RejectBounced, anymail.Bounce{Category: anymail.BounceSoft, SMTPCode: 450, EnhancedCode: "4.1.1"}
		anymail.Normalize(ev, "acme")
		require.Equal(t, anymail.RejectBounced, ev.RejectReason, answer)
		require.Equal(t, anymail.BounceSoft, ev.Bounce.Category, answer)
	}
	for _, answer := range []string{
		"450 4.1.1 <ada@example.com>: Recipient address rejected: User unknown in local recipient table",
		"450 <ada@example.com>: Recipient address rejected: unverified address: unknown user",
		"450 Requested mail action not taken: mailbox unavailable",
		"450 4.2.1 mailbox unavailable",
		"451 4.3.0 no such user",
		"4.4.3 Host or domain name not found",
		"421 4.7.0 user unknown, later",
	} {
		ev := explained(answer)
		require.Equal(t, anymail.RejectBounced, ev.RejectReason, answer)
		require.Equal(t, anymail.BounceHard, ev.Bounce.Category, answer)
	}
}

// The meanings other than that there is no such address.
func TestExplainedMeanings(t *testing.T) {
	for _, tt := range []struct {
		answer   string
		reason   anymail.RejectReason
		category anymail.BounceCategory
	}{
		{"550 The email account that you tried to reach is disabled", anymail.RejectBounced, anymail.BounceHard},
		{"550 5.7.1 Account suspended", anymail.RejectBounced, anymail.BounceHard},
		{"550 5.1.1 Account suspended", anymail.RejectInvalid, anymail.BounceHard},
		{"550 mailbox temporarily disabled", anymail.RejectBounced, anymail.BounceHard}, // as the ESP says
		{"550 Mailbox full", anymail.RejectBounced, anymail.BounceSoft},
		{"550 5.1.1 Recipient address rejected: mailbox full", anymail.RejectBounced, anymail.BounceSoft},
		{"550 5.1.1 user unknown (we like no spam)", anymail.RejectInvalid, anymail.BounceHard},
		{"550 message too large", anymail.RejectOther, anymail.BounceSoft},
		{"550 message expired", anymail.RejectTimedOut, anymail.BounceSoft},
		{"550 Client host blocked using a list", anymail.RejectBlocked, anymail.BounceBlock},
		{"550 relaying denied", anymail.RejectBlocked, anymail.BounceBlock},
		{"550 5.7.1 Sender address rejected: no such user", anymail.RejectBlocked, anymail.BounceBlock},
		{"550 Sender address rejected: no such user", anymail.RejectBounced, anymail.BounceHard},
		{"550 5.7.1 rejected", anymail.RejectBlocked, anymail.BounceBlock},
		{"550 rejected", anymail.RejectBounced, anymail.BounceHard},
	} {
		ev := explained(tt.answer)
		require.Equal(t, tt.reason, ev.RejectReason, tt.answer)
		require.Equal(t, tt.category, ev.Bounce.Category, tt.answer)
	}

	// What an ESP says in its own words counts only without an answer.
	ev := &anymail.TrackingEvent{
		Common: anymail.Common{Type: anymail.EventBounced}, RejectReason: anymail.RejectBounced,
		MTAResponse: "550 rejected", Description: "no such user",
	}
	anymail.Normalize(ev, "acme")
	require.Equal(t, anymail.RejectBounced, ev.RejectReason)
	ev.MTAResponse = ""
	anymail.Normalize(ev, "acme")
	require.Equal(t, anymail.RejectInvalid, ev.RejectReason)
}

// Each phrase of the table is that of an answer in the lists above, and has a source.
// An ESP that calls a bounce soft has seen more of it than its words tell.
func TestWordsDoNotMakeSoftBouncesHard(t *testing.T) {
	ev := &anymail.TrackingEvent{
		Common: anymail.Common{Type: anymail.EventBounced}, RejectReason: anymail.RejectBounced,
		Bounce: anymail.Bounce{Category: anymail.BounceSoft}, Description: "Host or domain name not found",
	}
	anymail.Normalize(ev, "acme")
	require.Equal(t, anymail.RejectInvalid, ev.RejectReason)
	require.Equal(t, anymail.BounceSoft, ev.Bounce.Category)
	require.False(t, ev.ShouldSuppress())

	ev.RejectReason, ev.MTAResponse, ev.Bounce.SMTPCode = anymail.RejectBounced, "550 no such user", 550
	anymail.Normalize(ev, "acme")
	require.Equal(t, anymail.BounceHard, ev.Bounce.Category, "a code is the receiving server's")
}

func TestEachPhraseHasAnExample(t *testing.T) {
	require.Empty(t, anymail.UnusedPhrases(slices.Concat(noSuchAddresses, otherAnswers), wire.SMTP))
}

// An answer of any length and content takes little time.
func TestLongAnswer(t *testing.T) {
	for _, word := range []string{"user ", "no such ", "unknown ", "@ ", "a.b.c.", "x@y ", "http://", "invalid or ", "\xff", "'", "é", "domain "} {
		start := time.Now()
		explained(strings.Repeat(word, 1<<20/len(word)))
		require.Less(t, time.Since(start), time.Second, word)
	}
}

func BenchmarkExplainBounce(b *testing.B) {
	for name, answer := range map[string]string{
		"short": "550 5.7.1 No such user!",
		"long":  "550 5.7.1 <ada@example.com>: Recipient address rejected: the message was not accepted by this server for a reason that it names nowhere in its answer, see https://example.com/errors?id=1 (in reply to RCPT TO command)",
		"bulk":  strings.Repeat("user ada is not what was unknown ", 1000),
	} {
		ev := explained(answer)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ev.RejectReason = anymail.RejectBounced
				anymail.Normalize(ev, "acme")
			}
		})
	}
}
