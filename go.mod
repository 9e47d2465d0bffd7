module github.com/goanymail/anymail

go 1.26

require (
	github.com/go-chi/chi/v5 v5.5.0
	github.com/go-json-experiment/json v1.27.2
	github.com/realclientip/realclientip-go v1.0.0
)
