module composeenv

go 1.19

require github.com/compose-spec/compose-go v1.20.2

require (
	github.com/pkg/errors v0.9.1 // indirect
	github.com/sirupsen/logrus v1.9.0 // indirect
	golang.org/x/sys v0.1.0 // indirect
)
