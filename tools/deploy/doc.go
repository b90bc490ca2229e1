// Package deploy checks the files of deploy/, without a cluster and without images:
// kustomize builds the overlay, every object is decoded strictly into its Kubernetes
// type, Compose's own loader loads the Compose file, and the real gateway checks the
// config and the policy of each.
//
// Types of the Prometheus operator, Prometheus and Grafana are written down here
// as far as deploy/ uses them: their modules would take minutes to build.
package deploy
