module example.com/newesp

go 1.26.0

require (
	github.com/goanymail/anymail v0.0.0
	github.com/goanymail/anymail/cmd/anymail v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/go-chi/chi/v5 v5.5.0 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/realclientip/realclientip-go v1.0.0 // indirect
	github.com/spf13/cobra v1.10.2 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/sync v0.25.0 // indirect
	golang.org/x/text v0.44.0 // indirect
)

replace (
	github.com/goanymail/anymail => ../..
	github.com/goanymail/anymail/cmd/anymail => ../../cmd/anymail
)
