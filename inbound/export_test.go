package inbound

// ParseParams is parseParams for the external tests.
var ParseParams = parseParams
