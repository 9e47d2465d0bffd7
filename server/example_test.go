package server_test

import (
	"log"
	"net/http"
	"os"

	"github.com/goanymail/anymail"
	"github.com/goanymail/anymail/server"
)

func ExampleNew() {
	d, err := anymail.New(anymail.WithSharedSecret(os.Getenv("WEBHOOK_SECRET")), anymail.RequireTLS())
	if err != nil {
		log.Fatal(err)
	}
	srv := server.New(http.StripPrefix("/anymail", d))
	srv.Addr = ":443"
	srv.TLSConfig.GetCertificate, err = server.ReloadCertificate("cert.pem", "key.pem")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(srv.ListenAndServeTLS("", ""))
}
