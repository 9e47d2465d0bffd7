// Package deploy tests the files of this folder, the workflows and the releases. It
// is a module of its own, outside the workspace, so that no other module depends on
// the schemas that it uses: use GOWORK=off.
package deploy
