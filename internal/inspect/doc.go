// Package inspect reads task sequences for the site: what one needs, whether it deploys an operating system, what is wrong with
// it. It connects internal/site, which asks, with tsengine, which knows; the appliance and the tests of both programs use it.
package inspect
