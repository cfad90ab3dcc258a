require "include";
include :global "nothing";
