// Package deploy checks the files of deploy/, without a cluster and without images.
//
// Helm's engine renders the chart, and kustomize builds the overlays: both have to give
// the same objects. Each object is decoded strictly into its Go type, or compared with
// the resource definition of its operator. The real gateway checks config and policy of
// each, Compose's own loader loads the Compose file, promtool plays every alert with the
// labels of the manifests' targets, and a Prometheus that scrapes a busy gateway answers
// the queries of the dashboard. The last two are Debian's, and are skipped by name where
// they are missing.
//
// Types of Prometheus' and Grafana's own files are written down here as far as deploy/
// uses them.
package deploy
