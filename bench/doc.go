// Package bench compares what the Dispatcher does with a request to the least
// that any program would have to do with it, and to other Go libraries that do
// a part of it. It is a module of its own, and none of the workspace's, so that
// nobody else depends on them or has to download them: use GOWORK=off.
//
// ../bench.sh runs everything and prints one table; docs/benchmarks.md has its
// figures and says what is measured.
package bench
