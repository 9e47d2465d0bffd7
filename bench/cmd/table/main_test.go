package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReferenceTable(t *testing.T) {
	fs, err := read(strings.NewReader(`cpu: Fast
reference: django-anymail 0.0
BenchmarkReference/Batch 40 10 events 100 django-anymail-requests/s 50 django-anymail-µs 60 django-anymail-MB 300 anymail-requests/s 25 anymail-µs 20 anymail-MB
BenchmarkReference/Batch 40 10 events 110 django-anymail-requests/s 60 django-anymail-µs 60 django-anymail-MB 220 anymail-requests/s 20 anymail-µs 20 anymail-MB
BenchmarkReference/Batch 40 10 events 90 django-anymail-requests/s 40 django-anymail-µs 60 django-anymail-MB 360 anymail-requests/s 40 anymail-µs 20 anymail-MB
`))
	require.NoError(t, err)
	table := fs.referenceTable()
	require.Contains(t, table, "django-anymail 0.0.\n")
	require.Contains(t, table, "\n| Batch | 3 | 100, 300 | 3.0 | 1000, 3000 | 50.0, 25.0 | 2.0 | 60.0, 20.0 | 3.0 |\n")
}
