package anymail

// phrase is what servers say, and what it means. The words are in lower case
// and in the form of [splitWords]. A place in it may have alternatives ("a|b");
// "WHO" is any of the words for a mailbox, "*" is up to two words of any kind,
// and "@" is an e-mail address, which matches without being named elsewhere.
type phrase struct {
	meaning meaning
	words   string
	code    string // the reply or enhanced code with which it counts; with any if empty
	source  string
}

// who are the words for a mailbox, its address or its owner.
const who = "user|users|userid|username|recipient|recipients|rcpt|mailbox|mailboxes|box|inbox|account|accounts|" +
	"address|addresses|addressee|alias|person|customer|subscriber|mailaddress|emailaddress"

// Where the phrases are documented, or in whose code they are.
const (
	fromRFC        = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3"
	fromIANA       = "https://www.iana.org/assignments/smtp-enhanced-status-codes"
	fromPostfix    = "https://www.postfix.org/postconf.5.html"
	fromPostfixDSN = "https://github.com/vdukhovni/postfix/tree/master/postfix/src"
	fromExim       = "https://www.exim.org/exim-html-current/doc/html/spec_html/"
	fromSendmail   = "https://github.com/freebsd/freebsd-src/tree/main/contrib/sendmail/src"
	fromQmail      = "https://cr.yp.to/qmail.html"
	fromMicrosoft  = "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online"
	fromGoogle     = "https://support.google.com/a/answer/3726730"
	fromYahoo      = "https://senders.yahooinc.com/smtp-error-codes/"
	fromGMX        = "https://postmaster.gmx.net/en/error-messages"
	fromComcast    = "https://postmaster.xfinity.com/"
	fromOrange     = "https://postmaster.orange.fr/"
	fromQQ         = "https://service.mail.qq.com/"
	fromCisco      = "https://www.cisco.com/c/en/us/support/security/email-security-appliance/series.html"
	fromPostmark   = "https://postmarkapp.com/developer/api/bounce-api"
	// Public collections of answers, among them those in other languages.
	fromSisimai = "https://libsisimai.org/en/reason/"
)

// phrases are the one table of what the words of servers mean, for every ESP. The
// tests have an answer for each, and for each kind answers that are like it and
// mean something else.
var phrases = []phrase{
	// The sender's address or domain, of which servers say the same as of the recipient's.
	{aboutSender, "sender|senders address|domain|email|account|mailbox|rejected|unknown|verify|verification|denied|invalid|refused|does|not|nonexistent|unverified|callout|can|blocked|id", "", fromPostfix},
	{aboutSender, "unknown|invalid|bad|illegal|unverified|nonexistent|wrong|forged|spoofed|such|verify|verifying * sender|originator", "", fromExim},
	{aboutSender, "envelope|header from|sender", "", fromQmail},
	{aboutSender, "from address|header|domain|unknown|invalid|nonexistent|unregistered", "", fromExim},
	{aboutSender, "mail from command|rejected|denied|address|domain|not|unknown|invalid|does", "", fromPostfixDSN},
	{aboutSender, "after mail from", "", fromExim},
	{aboutSender, "return|reverse path", "", fromRFC},
	{aboutSender, "absender|absenders|absenderadresse|absenderdomain|expéditeur|lexpéditeur|expediteur|lexpediteur|remitente|mittente|remetente|afzender|nadawca|nadawcy|отправитель|отправителя", "", fromSisimai},
	{aboutSender, "发件人", "", fromSisimai},
	{aboutSender, "寄件者", "", fromSisimai},
	{aboutSender, "送信者", "", fromSisimai},
	{aboutSender, "送信元", "", fromSisimai},

	// Refusals of the client, the sender or the content.
	{refused, "spamhaus|spamcop|sorbs|barracudacentral|uceprotect|dnsbl|rbl|blacklist|blacklisted|blacklists|blocklist|blocklisted|denylist|denylisted", "", fromIANA},
	{refused, "black|block|deny|banned list|listed", "", fromMicrosoft},
	{refused, "spam|antispam|unsolicited|phishing|malware|virus|viruses", "", fromGoogle},
	{refused, "dmarc|dkim|spf", "", fromGoogle},
	{refused, "reputation", "", fromMicrosoft},
	{refused, "client host|address * rejected|blocked|denied|banned", "", fromPostfix},
	{refused, "blocked using|by|because|for", "", fromPostfix},
	{refused, "relay|relaying access|denied|not|prohibited|disallowed|refused|attempted|attempt|forbidden", "", fromPostfix},
	{refused, "not|no|can|unable * relay|relaying", "", fromSendmail},

	// Mailboxes that are full.
	{mailboxFull, "WHO|folder|disk|storage * full|overfull|overflow", "", fromIANA},
	{mailboxFull, "quota|overquota", "", fromGoogle},
	{mailboxFull, "exceeded|exceeds|exceed|over|exhausted * storage|allocation|space|limit", "", fromRFC},
	{mailboxFull, "out|insufficient|not * storage|space", "", fromGoogle},
	{mailboxFull, "storage limit|exceeded", "", fromSisimai},
	{mailboxFull, "user|mailbox|account|recipient exceeded|exceeds", "", fromSisimai},
	{mailboxFull, "postfach|mailbox|mailkonto * voll|überfüllt", "", fromSisimai},
	{mailboxFull, "boîte|boite * pleine", "", fromSisimai},
	{mailboxFull, "buzón|buzon|casilla * lleno|llena", "", fromSisimai},
	{mailboxFull, "casella|caixa * piena|cheia", "", fromSisimai},
	{mailboxFull, "ящик|почтовый * переполнен", "", fromSisimai},
	{mailboxFull, "邮箱已满", "", fromSisimai},
	{mailboxFull, "空间不足", "", fromSisimai},
	{mailboxFull, "容量", "", fromSisimai},

	// Messages that are too large.
	{tooLarge, "message|mail|size|attachment * large|big|exceeds", "", fromIANA},
	{tooLarge, "maximum|max|maximal * size|length", "", fromPostfix},

	// Sending servers that gave up.
	{expired, "message|delivery|queue expired", "", fromMicrosoft},
	{expired, "delivery time expired", "", fromIANA},
	{expired, "retry time|timeout exceeded|expired", "", fromExim},

	// What has the words of noSuchAddress without being certain.
	{unclear, "temporarily|temporary|transient|greylisted|throttled|deferred", "", fromRFC},
	{unclear, "try|retry|again * later|minutes|seconds|hours", "", fromGoogle},
	{unclear, "again later", "", fromGoogle},
	{unclear, "too many|quickly|fast", "", fromGoogle},
	{unclear, "rate limit|limited|exceeded", "", fromGoogle},
	{unclear, "policy|policies", "", fromRFC},
	{unclear, "helo|ehlo|ptr|rdns|reverse|hostname|certificate|tls|starttls|timeout", "", fromPostfix},
	{unclear, "timed out", "", fromPostfix},
	{unclear, "authentication|authenticate|authenticated|auth|password|credentials|login|permission|permissions", "", fromGoogle},
	{unclear, "ip address|not|listed|blocked", "", fromMicrosoft},
	{unclear, "client|clients|sender|senders|originator|header|headers|unauthenticated", "", fromPostfix},
	{unclear, "source|remote address", "", fromPostfix},
	{unclear, "your|sending domain|address|ip|host|hostname|server|name|account|mailbox|network", "", fromMicrosoft},
	{unclear, "you not", "", fromMicrosoft},
	{unclear, "members|subscribed|post|posting", "", fromMicrosoft},
	{unclear, "may not exist", "", fromSisimai},
	{unclear, "access denied for|to|from", "", fromPostfix},
	{unclear, "syntax error", "", fromRFC},
	{unclear, "unknown|invalid|bad * error|reason|problem|failure|status|command|header|response|sequence|syntax", "", fromRFC},
	{unclear, "whitelist|whitelisted|allowlist", "", fromGoogle},
	{unclear, "ex|eg|g unknown|mailbox|user", "", fromPostmark}, // "(ex: unknown user, ...)", for every hard bounce
	{unclear, "mailbox not found no access or command", "", fromRFC},

	// Mailboxes that do not exist.
	{noSuchAddress, "WHO|@ * unknown|nonexistent|invalid|incorrect|wrong|unrecognized", "", fromPostfix},
	{noSuchAddress, "unknown|nonexistent|invalid|bad|illegal|incorrect|wrong WHO", "", fromExim},
	{noSuchAddress, "unknown|nonexistent|invalid|bad|illegal email|mail|virtual|local|destination|recipient|user|rcpt|mailbox WHO", "", fromIANA},
	{noSuchAddress, "unknown|invalid or unknown|illegal|invalid|nonexistent|unavailable|bad * WHO", "", fromSisimai},
	{noSuchAddress, "bad|invalid|unknown destination * WHO", "", fromIANA},
	{noSuchAddress, "non existent|existing|existant WHO", "", fromSisimai},
	{noSuchAddress, "unknown|invalid local part", "", fromExim},
	{noSuchAddress, "no such * WHO|drop|id", "", fromSendmail},
	{noSuchAddress, "no WHO here|found|by|with|exist|exists|at|named|matching|called", "", fromQmail},
	{noSuchAddress, "no mail box|mailbox", "", fromSisimai},
	{noSuchAddress, "no WHO * available|exist|currently", "", fromSisimai},
	{noSuchAddress, "no one|person|body|user at|with|by|here * address|name|email", "", fromSisimai},
	{noSuchAddress, "not valid|known|existing|recognized|registered * WHO", "", fromSisimai},
	{noSuchAddress, "not customer", "", fromComcast},
	{noSuchAddress, "WHO|@ * does not exist", "", fromMicrosoft},
	{noSuchAddress, "WHO|@ * not exist|found|known|recognized|registered|valid|defined|located|present", "", fromMicrosoft},
	{noSuchAddress, "WHO|@ * not be found|located|recognized", "", fromGoogle},
	{noSuchAddress, "WHO not * present|listed|in * directory|table|database|system|list|ldap", "", fromSisimai},
	{noSuchAddress, "not * found in ldap|directory|database", "", fromSisimai},
	{noSuchAddress, "not in name|address|recipient|user directory|table|book|database", "", fromSisimai},
	{noSuchAddress, "unable|not|failed * find|locate * WHO", "", fromSisimai},
	{noSuchAddress, "not find any host", "", fromQmail},
	{noSuchAddress, "no known|valid WHO by|with|here|found", "", fromSisimai},
	{noSuchAddress, "not active address", "", fromSisimai},
	{noSuchAddress, "not handle mail for user|recipient|address", "", fromSisimai},
	{noSuchAddress, "WHO not listed", "", fromSendmail},
	{noSuchAddress, "WHO * no longer exist|valid|available|on|here|accepts|with|employed|works|exists|employee", "", fromSisimai},
	{noSuchAddress, "WHO * never exist", "", fromSisimai},
	{noSuchAddress, "WHO * deleted|removed", "", fromSisimai},
	{noSuchAddress, "no longer * employee|employed", "", fromSisimai},
	{noSuchAddress, "you tried to reach does not exist", "", fromGoogle},
	{noSuchAddress, "user|recipient does not have * account|mailbox|inbox", "", fromYahoo},
	{noSuchAddress, "recipnotfound|recipientnotfound|usernotfound|userunknown|mailboxnotfound", "", fromMicrosoft},
	{noSuchAddress, "unrouteable|unroutable|undeliverable WHO|mail|domain", "", fromExim},
	{noSuchAddress, "requested * action not taken mailbox unavailable", "", fromGMX},
	{noSuchAddress, "mailbox * unavailable", "550", fromRFC},
	{noSuchAddress, "mailbox * not available", "550", fromRFC},
	{noSuchAddress, "recipient address rejected access denied", "5.4.1", fromMicrosoft},
	{noSuchAddress, "address rejected", "5.1.0", fromCisco},
	{noSuchAddress, "validrcptto", "", fromQmail},

	// Domains that do not exist or accept no mail.
	{noSuchAddress, "domain|host * does not exist", "", fromMicrosoft},
	{noSuchAddress, "domain|domainname * not found|exist|valid", "", fromPostfix},
	{noSuchAddress, "no such domain|host", "", fromSendmail},
	{noSuchAddress, "unknown|invalid|nonexistent|bad|illegal * domain", "", fromSendmail},
	{noSuchAddress, "domain|host unknown|nonexistent|invalid", "", fromSendmail},
	{noSuchAddress, "domain|host name unknown|invalid", "", fromSendmail},
	{noSuchAddress, "no mx for|record|records", "", fromExim},
	{noSuchAddress, "domain name not found", "", fromPostfixDSN},
	{noSuchAddress, "does not accept mail nullmx", "", fromPostfixDSN},
	{noSuchAddress, "null mx", "", fromIANA},
	{noSuchAddress, "nullmx|nxdomain|infodomainnonexistent", "", fromMicrosoft},

	// The same in the languages in which servers answer.
	{noSuchAddress, "empfänger|empfaenger|empfängeradresse|empfaengeradresse|benutzer|nutzer|adressat|postfach|mailbox|konto|adresse|mailadresse * unbekannt|ungültig|ungueltig", "", fromSisimai},
	{noSuchAddress, "empfänger|empfaenger|empfängeradresse|empfaengeradresse|benutzer|nutzer|adressat|postfach|mailbox|konto|adresse|mailadresse|domain|domäne * existiert|nicht * nicht|gefunden|bekannt|vorhanden|gültig", "", fromSisimai},
	{noSuchAddress, "unbekannter|unbekannte|unbekanntes|ungültiger|ungültige|kein|keine solcher|solches|solche|empfänger|empfaenger|benutzer|nutzer|adressat|postfach|adresse|empfängeradresse", "", fromSisimai},
	{noSuchAddress, "utilisateur|lutilisateur|destinataire|adresse|ladresse|boîte|boite|compte|domaine * inconnu|inconnue|inexistant|inexistante|invalide|introuvable", "", fromOrange},
	{noSuchAddress, "utilisateur|lutilisateur|destinataire|adresse|ladresse|boîte|boite|compte|domaine * nexiste pas", "", fromOrange},
	{noSuchAddress, "adresse|ladresse de messagerie * inconnue|inexistante|introuvable|invalide", "", fromOrange},
	{noSuchAddress, "usuario|destinatario|buzón|buzon|casilla|cuenta|dirección|direccion|correo|dominio * desconocido|desconocida|inexistente|inválido|invalido|inválida|invalida", "", fromSisimai},
	{noSuchAddress, "usuario|usuário|destinatario|destinatário|buzón|buzon|casilla|caixa|cuenta|conta|dirección|direccion|endereço|correo|dominio|domínio * no|não|nao existe|encontrado|encontrada|válido|válida", "", fromSisimai},
	{noSuchAddress, "no|não existe * usuario|usuário|persona|cuenta|conta|buzón|destinatario|destinatário", "", fromSisimai},
	{noSuchAddress, "usuário|destinatário|caixa|conta|endereço|domínio * desconhecido|desconhecida|inexistente|inválido|inválida", "", fromSisimai},
	{noSuchAddress, "utente|destinatario|destin|casella|indirizzo|account|dominio * sconosciuto|sconosciuta|inesistente|errato|errata", "", fromSisimai},
	{noSuchAddress, "utente|destinatario|casella|indirizzo|account|dominio * non esiste|trovato|trovata|valido|valida", "", fromSisimai},
	{noSuchAddress, "nessun utente", "", fromSisimai},
	{noSuchAddress, "nie ma takiego|takiej konta|użytkownika|adresu|skrzynki", "", fromSisimai},
	{noSuchAddress, "konto|adres|odbiorca|użytkownik|skrzynka|domena * nie istnieje", "", fromSisimai},
	{noSuchAddress, "gebruiker|ontvanger|adres|mailbox|postvak|domein * onbekend|ongeldig", "", fromSisimai},
	{noSuchAddress, "gebruiker|ontvanger|adres|mailbox|postvak|domein * bestaat|niet niet|gevonden", "", fromSisimai},
	{noSuchAddress, "onbekende gebruiker|ontvanger", "", fromSisimai},
	{noSuchAddress, "пользователь|получатель|адресат|ящик|адрес|аккаунт|домен * не найден|существует|зарегистрирован", "", fromSisimai},
	{noSuchAddress, "пользователь|получатель|адресат|ящик|адрес * неизвестен|недействителен", "", fromSisimai},
	{noSuchAddress, "нет|несуществующий|неизвестный|неверный|недействительный * пользователя|пользователь|адреса|адрес|ящика|ящик|получателя|получатель|адресата|адресат", "", fromSisimai},
	{noSuchAddress, "такого|такой пользователя|ящика|адреса|адресата|пользователь * нет|не", "", fromSisimai},
	{noSuchAddress, "kullanıcı|kullanici * bulunamadı|bulunamadi|bilinmiyor|yok", "", fromSisimai},
	{noSuchAddress, "uživatel|příjemce|schránka * neexistuje|neznámý|nenalezen", "", fromSisimai},
	{noSuchAddress, "okänd|ukendt|ukjent användare|mottagare|bruger|modtager|bruker|mottaker", "", fromSisimai},
	{noSuchAddress, "用户不存在", "", fromQQ},
	{noSuchAddress, "收件人不存在", "", fromQQ},
	{noSuchAddress, "收件人地址不存在", "", fromQQ},
	{noSuchAddress, "邮箱不存在", "", fromQQ},
	{noSuchAddress, "邮箱地址不存在", "", fromQQ},
	{noSuchAddress, "邮件地址不存在", "", fromQQ},
	{noSuchAddress, "帐号不存在", "", fromQQ},
	{noSuchAddress, "账号不存在", "", fromQQ},
	{noSuchAddress, "找不到收件人", "", fromQQ},
	{noSuchAddress, "无此用户", "", fromQQ},
	{noSuchAddress, "使用者不存在", "", fromSisimai},
	{noSuchAddress, "無此使用者", "", fromSisimai},
	{noSuchAddress, "信箱不存在", "", fromSisimai},
	{noSuchAddress, "ユーザーが存在しません", "", fromSisimai},
	{noSuchAddress, "ユーザーは存在しません", "", fromSisimai},
	{noSuchAddress, "アドレスが存在しません", "", fromSisimai},
	{noSuchAddress, "アドレスは存在しません", "", fromSisimai},
	{noSuchAddress, "アドレスが見つかりません", "", fromSisimai},
	{noSuchAddress, "宛先が見つかりません", "", fromSisimai},
	{noSuchAddress, "存在しないメールアドレス", "", fromSisimai},
	{noSuchAddress, "宛先不明", "", fromSisimai},
	{noSuchAddress, "あて先不明", "", fromSisimai},
	{noSuchAddress, "사용자가|수신자가|주소가|계정이 존재하지", "", fromSisimai},

	// Mailboxes that exist and accept nothing.
	{disabled, "WHO|domain * disabled|deactivated|inactive|suspended|closed|terminated|discontinued|locked|expired", "", fromGoogle},
	{disabled, "disabled|deactivated|inactive|suspended|closed|locked|expired WHO", "", fromIANA},
	{disabled, "WHO * not active", "", fromSisimai},
	{disabled, "you tried to reach * disabled|inactive", "", fromGoogle},
	{disabled, "postfach|konto|mailbox * deaktiviert|gesperrt", "", fromSisimai},
	{disabled, "compte|boîte|boite * désactivé|désactivée|desactivee|suspendu", "", fromSisimai},
}
