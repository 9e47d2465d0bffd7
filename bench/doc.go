// Package bench compares the Dispatcher's work on a request with the least that
// any program has to do for it, and with other Go libraries that do a part of it.
// It is a module of its own, outside the workspace, so that no other module
// depends on these libraries or has to download them: use GOWORK=off.
//
// ../bench.sh runs all benchmarks and prints tables; docs/benchmarks.md has its
// figures and describes what is measured. reference.sh compares servers: one with the
// Dispatcher, one with django-anymail.
package bench
