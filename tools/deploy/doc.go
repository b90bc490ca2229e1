// Package deploy checks what deploy/ holds, without a cluster and without images:
// kustomize builds the overlay, every object is decoded strictly into the type
// that Kubernetes has for it, Compose's own loader loads the Compose file, and the
// real gateway is given the config and the policy that all of them carry.
//
// Types of the Prometheus operator, Prometheus and Grafana are written down here
// as far as deploy/ uses them: their modules would take minutes to build.
package deploy
