// Package appliance puts 'bootyard serve' together: it opens the database, the
// content library and the CA, gives pxe its policy and its journal, serves the
// API on HTTPS and the unix socket, boot files and content by signed URLs on
// HTTP, and runs the wake-up planner. It holds no rule of its own; every "may
// this machine" is answered by internal/site.
package appliance
