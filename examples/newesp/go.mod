module example.com/newesp

go 1.26.0

require github.com/goanymail/anymail v0.0.0

require (
	github.com/go-chi/chi/v5 v5.5.0 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/realclientip/realclientip-go v1.0.0 // indirect
)

replace github.com/goanymail/anymail => ../..
