module github.com/goanymail/anymail/sqlstore

go 1.26

require github.com/goanymail/anymail v0.0.0

replace github.com/goanymail/anymail => ../
