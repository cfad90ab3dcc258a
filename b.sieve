require "fileinto"; if header :is "subject" "x" { fileinto "x"; }
