// Package wim reads what a Windows Imaging file says about itself: its header and
// the XML that lists its images ([MS-WIMFILE] as far as published, and what
// wimlib documents). It unpacks nothing; wimlib does that.
package wim
