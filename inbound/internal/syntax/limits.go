package syntax

import (
	"cmp"

	"github.com/goanymail/anymail"
)

// OrDefaults returns l with the defaults of the MIME limits that are 0 or less.
func OrDefaults(l anymail.Limits) anymail.Limits {
	l.MIMEDepth = cmp.Or(max(l.MIMEDepth, 0), 24)
	l.MIMEParts = cmp.Or(max(l.MIMEParts, 0), 1000)
	l.MIMEHeaders = cmp.Or(max(l.MIMEHeaders, 0), 2000)
	return l
}
